/** The producer's settings, parsed from the environment. */
import { PRODUCER_ENVIRONMENT as NAMES } from "../contract/environment.ts";
import { type Environment, settingsReader } from "../contract/settings-reader.ts";

export interface ProducerSettings {
  readonly streamName: string;
  readonly rate: number;
  readonly keys: number;
  readonly skew: number;
  readonly historyDirectory: string | undefined;
  /** The history's destination when no directory is set: a log line per record, or no history. */
  readonly history: "log" | "none";
  readonly logLevel: string;
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/**
 * Defaults: 200 records per second over 400 keys (enough to reach each of 40 shards), chosen uniformly.
 * @throws SettingsError, one line
 */
export function readProducerSettings(environment: Environment): ProducerSettings {
  const { optional, required, number, oneOf } = settingsReader(environment);
  return {
    streamName: required(NAMES.streamName, "the name of the Kinesis stream"),
    rate: number(NAMES.rate, { fallback: 200, least: 1, most: 10_000 }),
    keys: number(NAMES.keys, { fallback: 400, least: 1, most: 100_000 }),
    skew: number(NAMES.skew, { fallback: 0, least: 0, most: 5, kind: "any" }),
    historyDirectory: optional(NAMES.historyDirectory),
    history: oneOf(NAMES.history, ["none", "log"], "none"),
    logLevel: oneOf(NAMES.logLevel, LOG_LEVELS, "info"),
  };
}
