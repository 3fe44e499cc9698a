/** The producer's environment, parsed. */
import { PRODUCER_ENVIRONMENT as NAMES } from "../shared/environment.ts";

export interface ProducerSettings {
  readonly streamName: string;
  readonly rate: number;
  readonly keys: number;
  readonly skew: number;
  readonly historyDirectory: string | undefined;
  /** Where history goes without a directory: a log line per record, or nowhere. */
  readonly history: "log" | "none";
  readonly logLevel: string;
}

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Defaults: 200 records a second over 400 keys (enough to reach each of 40 shards), chosen evenly. @throws SettingsError, one line */
export function readProducerSettings(
  environment: Readonly<Record<string, string | undefined>>,
): ProducerSettings {
  const number = (name: string, fallback: number, least: number, most: number, whole: boolean): number => {
    const given = environment[name] || String(fallback);
    const value = Number(given);
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    throw new SettingsError(
      `${name} is ${JSON.stringify(given)}; expected a ${whole ? "whole " : ""}number from ${least} to ${most}`,
    );
  };
  const streamName = environment[NAMES.streamName];
  if (!streamName)
    throw new SettingsError(`${NAMES.streamName} is not set; expected the name of the Kinesis stream`);
  const logLevel = environment[NAMES.logLevel] || "info";
  if (!LOG_LEVELS.includes(logLevel)) {
    throw new SettingsError(
      `${NAMES.logLevel} is ${JSON.stringify(logLevel)}; expected one of ${LOG_LEVELS.join(", ")}`,
    );
  }
  const history = environment[NAMES.history] || "none";
  if (history !== "none" && history !== "log")
    throw new SettingsError(`${NAMES.history} is ${JSON.stringify(history)}; expected none or log`);
  return {
    streamName,
    rate: number(NAMES.rate, 200, 1, 10_000, true),
    keys: number(NAMES.keys, 400, 1, 100_000, true),
    skew: number(NAMES.skew, 0, 0, 5, false),
    historyDirectory: environment[NAMES.historyDirectory] || undefined,
    history,
    logLevel,
  };
}
