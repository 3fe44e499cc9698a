/**
 * Converts any thrown error to one line on stderr and an exit code. Unexpected errors write their stack to a
 * log file.
 */
import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import { type Command, CommanderError } from "commander";
import { closest } from "../../src/suggest.ts";
import { isNotOffered, notOfferedText } from "../aws/not-offered.ts";
import { CommandError, Interrupted, messageOf } from "../errors.ts";
import { inRuntime } from "../project.ts";
import type { Context } from "./context.ts";

const INTERRUPTED_EXIT = 130;

export function reportError(error: unknown, context: Context, program: Command): number {
  if (error instanceof Interrupted) {
    context.note("stopped, and everything put away");
    return INTERRUPTED_EXIT;
  }
  if (error instanceof CommanderError) return reportUsage(error, context, program);
  const verbose = program.opts().verbose === true;
  const expected = expectedCommandError(error);
  if (expected) {
    context.note(`error: ${oneLine(expected.message)}`);
    if (verbose) context.note(stackOf(error));
    return expected.exitCode;
  }
  const log = inRuntime("logs", "cli-errors.log");
  appendFileSync(
    log,
    `${new Date(context.clock.wallMillis()).toISOString()} ${process.argv.slice(2).join(" ")}\n${stackOf(error)}\n\n`,
  );
  context.note(
    `error: ${oneLine(messageOf(error))} (unexpected; ${verbose ? "stack below" : `--verbose shows more, and so does ${relative(process.cwd(), log)}`})`,
  );
  if (verbose) context.note(stackOf(error));
  return 1;
}

/**
 * Errors whose message states the remedy: our own, those of other modules with an exit code, and an endpoint
 * that does not answer.
 */
function expectedCommandError(error: unknown): { message: string; exitCode: number } | undefined {
  if (error instanceof CommandError) return error;
  if (!(error instanceof Error)) return undefined;
  if ("exitCode" in error && (error.exitCode === 1 || error.exitCode === 2))
    return { message: error.message, exitCode: error.exitCode };
  const code = "code" in error ? String(error.code) : "";
  if (["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EHOSTUNREACH"].includes(code)) {
    const url = process.env.AWS_ENDPOINT_URL;
    const remedy = url
      ? `is AWS_ENDPOINT_URL=${url} right? Without it \`npm run up\` starts the embedded one`
      : "is it up? `npm run up` starts the embedded one";
    return { message: `the AWS endpoint does not answer (${code}); ${remedy}`, exitCode: 1 };
  }
  if (isNotOffered(error)) return { message: notOfferedText(error), exitCode: 1 };
  if (error.name === "CredentialsProviderError")
    return { message: `no AWS credentials (${error.message}); sign in, or leave --aws out`, exitCode: 1 };
  return undefined;
}

function reportUsage(error: CommanderError, context: Context, program: Command): number {
  if (error.exitCode === 0) return 0; // --help, --version
  if (error.code === "commander.help") return 2; // no command: the help was shown
  const message = oneLine(error.message.replace(/^error: /, ""));
  const unknown = error.code === "commander.unknownCommand" ? /'(.+?)'/.exec(message)?.[1] : undefined;
  const names = program.commands.map((command) => command.name());
  const near = unknown === undefined ? undefined : closest(unknown, names);
  const bare = unknown === undefined ? message : `unknown command '${unknown}'`;
  const hint = near ? `; did you mean ${near}?` : unknown ? "; `evenkeel --help` lists them" : "";
  context.note(`error: ${bare}${hint}`);
  return 2;
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, " ");

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
