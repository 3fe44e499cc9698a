/**
 * Reads the settings given with `-c name=value`. An invalid setting produces one line that states the error.
 */
import { SettingsError } from "../services/contract/settings-reader.ts";

export interface StackSettings {
  /** Shards of the stream at the first deployment. Default: 20, the seed's. */
  readonly shards: number;
  /**
   * Consumer tasks at the first deployment; later deployments leave the count unchanged. Default: 3, the
   * seed's. 0: consumers are started by hand.
   */
  readonly pods: number;
  /** Producer tasks: 0 or 1. Default: 1. */
  readonly producers: number;
  /** The metric namespace, and, capitalized, the stack's name. Default: evenkeel. */
  readonly application: string;
  /** The producer's records per second. Default: 200. */
  readonly rate: number;
  /** Distinct partition keys of the producer. Default: 400, enough that each of 30 shards gets some. */
  readonly keys: number;
  /** Zipf exponent of the producer's key choice. Default: 0, uniform. */
  readonly skew: number;
  /** Directory on this machine for history files. Default: none. Embedded endpoint only. */
  readonly historyDirectory: string | undefined;
  /** `log`: a log line per record and batch, which AWS bills by the gigabyte. Default: `none`. */
  readonly history: "none" | "log";
  /**
   * True: the target is an emulator, named by AWS_ENDPOINT_URL. Images are referenced by name; none is built
   * or pushed.
   */
  readonly emulated: boolean;
}

const NAMES = [
  ...["shards", "pods", "producers", "application", "rate", "keys", "skew"],
  ...["historyDirectory", "history"],
];
/** The CDK's own names contain a colon, a slash or an @, except this one. */
const OF_THE_CDK = "acknowledged-issue-numbers";

/**
 * A misspelt setting would silently deploy the default.
 *
 * @throws SettingsError for an unknown name that looks like one of ours
 */
function requireKnownNames(context: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(context).find(
    (name) => /^[\w-]*$/.test(name) && name !== OF_THE_CDK && !NAMES.includes(name),
  );
  if (unknown === undefined) return;
  throw new SettingsError(
    `context ${JSON.stringify(unknown)} is not known; expected ${NAMES.join(", ")} (given with -c, in cdk.json, cdk.context.json or ~/.cdk.json)`,
  );
}

/** @throws SettingsError naming the value, the expected value and how to give it. */
export function readSettings(
  context: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): StackSettings {
  requireKnownNames(context);
  const number = (name: string, fallback: number, least: number, most: number, whole = true): number => {
    const given = context[name] ?? fallback;
    const value = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
    if (typeof value === "number" && value >= least && value <= most && (!whole || Number.isInteger(value)))
      return value;
    throw wrong(name, given, `a ${whole ? "whole " : ""}number from ${least} to ${most}`, fallback);
  };
  const application = context.application ?? "evenkeel";
  if (typeof application !== "string" || !/^[a-z][a-z0-9-]{0,38}$/.test(application)) {
    throw wrong(
      "application",
      application,
      "at most 39 lower-case letters, digits and hyphens, a letter first",
      "evenkeel",
    );
  }
  const emulated = Boolean(environment.AWS_ENDPOINT_URL);
  const { historyDirectory, history = "none" } = context;
  if (
    historyDirectory !== undefined &&
    (typeof historyDirectory !== "string" || !historyDirectory.startsWith("/"))
  ) {
    throw wrong("historyDirectory", historyDirectory, "an absolute path", "/tmp/history");
  }
  if (historyDirectory !== undefined && !emulated) {
    throw new SettingsError(
      "historyDirectory is for the embedded endpoint only, and AWS_ENDPOINT_URL is not set; leave it out: -c history=log writes history to the log",
    );
  }
  if (history !== "none" && history !== "log") throw wrong("history", history, "none or log", "log");
  if (history === "log" && historyDirectory !== undefined)
    throw new SettingsError("history goes to the log or to historyDirectory: give one of them, not both");
  return {
    shards: number("shards", 20, 1, 1_000),
    pods: number("pods", 3, 0, 200),
    producers: number("producers", 1, 0, 1),
    application,
    rate: number("rate", 200, 1, 10_000),
    keys: number("keys", 400, 1, 100_000),
    skew: number("skew", 0, 0, 5, false),
    historyDirectory,
    history,
    emulated,
  };
}

const wrong = (name: string, given: unknown, expected: string, example: unknown) =>
  new SettingsError(
    `context ${name} is ${JSON.stringify(given)}; expected ${expected}, for example -c ${name}=${example}`,
  );

/** `evenkeel` → `Evenkeel`. */
export const stackName = (application: string) => application.charAt(0).toUpperCase() + application.slice(1);
