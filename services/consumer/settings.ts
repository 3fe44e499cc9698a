/** The consumer container's settings: the environment contract, parsed. Wrong values end the process with one line. */
import { CONSUMER_ENVIRONMENT as NAMES } from "../shared/environment.ts";
import { type BoundedOption, OPTION_BOUNDS } from "../shared/option-bounds.ts";

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
  /** Where history goes without a directory. */
  readonly history: "log" | "none";
  readonly stopBudgetMillis: number;
}

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws SettingsError naming the variable, its value and what was expected. */
export function readSettings(environment: Environment): ConsumerSettings {
  const optional = (name: string) => environment[name]?.trim() || undefined;
  const required = (name: string) => optional(name) ?? fail(name, undefined, "a value: the stack sets it");
  const whole = (name: string, fallback: number, least: number, most = Number.MAX_SAFE_INTEGER) => {
    const value = optional(name);
    if (value === undefined) return fallback;
    const isWithin = /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most;
    const upTo = most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`;
    return isWithin ? Number(value) : fail(name, value, `a whole number from ${least}${upTo}`);
  };
  const bounded = (option: BoundedOption) => {
    const { least, most, fallback } = OPTION_BOUNDS[option];
    return whole(NAMES[option], fallback, least, most);
  };
  const oneOf = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const value = optional(name) ?? fallback;
    return allowed.includes(value as T) ? (value as T) : fail(name, value, allowed.join(" or "));
  };
  const applicationName = required(NAMES.applicationName);
  const limit = whole(NAMES.maxLeasesLimit, 0, 1);
  return {
    applicationName,
    streamName: required(NAMES.streamName),
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
    stopBudgetMillis: whole(NAMES.stopBudgetMillis, 25_000, 100),
  };
}

function fail(name: string, value: string | undefined, expected: string): never {
  throw new SettingsError(
    `${name} is ${value === undefined ? "not set" : JSON.stringify(value)}: expected ${expected}`,
  );
}
