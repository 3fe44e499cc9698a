/** The program: global options and every command. */
import { Command } from "commander";
import { registerExperiment } from "./commands/experiment.ts";
import type { Context, Register } from "./context.ts";

const COMMANDS: readonly Register[] = [registerExperiment];

export function buildProgram(context: Context): Command {
  const program = new Command("evenkeel")
    .description("A Kinesis consumer fleet that stays evenly loaded: run it, watch it, prove it.")
    .option("--aws", "work on real AWS (shows account and region, asks before changing anything)", false)
    .option("--yes", "do not ask", false)
    .option("--application <name>", "the deployed application", "evenkeel")
    .option("--verbose", "show the stack of an error", false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: () => undefined, // reportError says it, in one line
    });
  for (const register of COMMANDS) register(program, context);
  // Commands made before exitOverride would inherit nothing: all of them are made after it.
  return program;
}
