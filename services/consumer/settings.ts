/**
 * The consumer container's settings, parsed from the environment contract. A wrong value ends the process
 * with one line.
 */

import { type BoundedOption, OPTION_BOUNDS } from "../../src/defaults.ts";
import { CONSUMER_ENVIRONMENT as NAMES } from "../contract/environment.ts";
import { type Environment, settingsReader } from "../contract/settings-reader.ts";

export interface ConsumerSettings {
  readonly applicationName: string;
  readonly streamName: string;
  readonly leaseTableName: string;
  readonly workerId: string | undefined;
  readonly maxLeasesLimit: number | undefined;
  readonly failoverTimeMillis: number;
  readonly shardSyncIntervalMillis: number;
  readonly enableLeaseStealing: boolean;
  readonly idleTimeBetweenReadsMillis: number;
  readonly checkpointIntervalMillis: number;
  readonly leaseRenewal: "worker" | "lease";
  readonly initialPosition: "TRIM_HORIZON" | "LATEST";
  readonly metricsLevel: "none" | "summary" | "detailed";
  readonly logLevel: string;
  readonly historyDirectory: string | undefined;
  /** The history's destination when no directory is set. */
  readonly history: "log" | "none";
  readonly stopBudgetMillis: number;
}

/** @throws SettingsError naming the variable, its value and what was expected. */
export function readSettings(environment: Environment): ConsumerSettings {
  const { optional, required, number, oneOf } = settingsReader(environment);
  const bounded = (option: BoundedOption) => number(NAMES[option], OPTION_BOUNDS[option]);
  const isSet = "a value: the stack sets it";
  const applicationName = required(NAMES.applicationName, isSet);
  const limit = number(NAMES.maxLeasesLimit, { fallback: 0, least: 1 });
  return {
    applicationName,
    streamName: required(NAMES.streamName, isSet),
    leaseTableName: optional(NAMES.leaseTableName) ?? applicationName,
    workerId: optional(NAMES.workerId),
    maxLeasesLimit: limit === 0 ? undefined : limit,
    failoverTimeMillis: bounded("failoverTimeMillis"),
    shardSyncIntervalMillis: bounded("shardSyncIntervalMillis"),
    enableLeaseStealing: oneOf(NAMES.enableLeaseStealing, ["true", "false"], "true") === "true",
    idleTimeBetweenReadsMillis: bounded("idleTimeBetweenReadsMillis"),
    checkpointIntervalMillis: bounded("checkpointIntervalMillis"),
    leaseRenewal: oneOf(NAMES.leaseRenewal, ["worker", "lease"], "worker"),
    initialPosition: oneOf(NAMES.initialPosition, ["TRIM_HORIZON", "LATEST"], "TRIM_HORIZON"),
    metricsLevel: oneOf(NAMES.metricsLevel, ["none", "summary", "detailed"], "summary"),
    logLevel: oneOf(NAMES.logLevel, ["debug", "info", "warn", "error"], "info"),
    historyDirectory: optional(NAMES.historyDirectory),
    history: oneOf(NAMES.history, ["none", "log"], "none"),
    stopBudgetMillis: number(NAMES.stopBudgetMillis, { fallback: 25_000, least: 100 }),
  };
}
