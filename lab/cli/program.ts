/** The command-line program: the global options and every command. */
import { Command } from "commander";
import { registerAnalyzeRebalancing } from "./commands/analyze-rebalancing.ts";
import { registerCleanup } from "./commands/cleanup.ts";
import { registerConfig } from "./commands/config.ts";
import { registerConsumer } from "./commands/consumer.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerDown } from "./commands/down.ts";
import { registerEnv } from "./commands/env.ts";
import { registerExperiment } from "./commands/experiment.ts";
import { registerExportLeaseData } from "./commands/export-lease-data.ts";
import { registerMetrics } from "./commands/metrics.ts";
import { registerMonitorLeases } from "./commands/monitor-leases.ts";
import { registerProducer } from "./commands/producer.ts";
import { registerScale } from "./commands/scale.ts";
import { registerSplitShards } from "./commands/split-shards.ts";
import { registerUp } from "./commands/up.ts";
import { registerVerifyStream } from "./commands/verify-stream.ts";
import { registerViewDistribution } from "./commands/view-distribution.ts";
import type { Context, Register } from "./context.ts";

const COMMANDS: readonly Register[] = [
  registerExperiment,
  registerVerifyStream,
  registerProducer,
  registerConsumer,
  registerMonitorLeases,
  registerSplitShards,
  registerScale,
  registerViewDistribution,
  registerExportLeaseData,
  registerCleanup,
  registerAnalyzeRebalancing,
  registerMetrics,
  registerConfig,
  registerEnv,
  registerUp,
  registerDown,
  registerDoctor,
];

export function buildProgram(context: Context): Command {
  const program = new Command("evenkeel")
    .description("A Kinesis consumer fleet that stays evenly loaded: run it, watch it, prove it.")
    .option("--aws", "work on real AWS (shows account and region, asks before changing anything)")
    .option("--yes", "do not ask")
    .option("--application <name>", "the deployed application", "evenkeel")
    .option("--verbose", "show the stack of an error")
    // Must come before the commands are added: a command inherits these settings at creation.
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: () => undefined, // reportError prints it in one line
    });
  for (const register of COMMANDS) register(program, context);
  return program;
}
