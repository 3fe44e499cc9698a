/** What `-c name=value` may say, and the one line that says what is wrong with it. */
import { SettingsError } from "../services/contract/settings-reader.ts";

export interface StackSettings {
  /** Shards of the stream at the first deployment. Default: 20, the seed's. */
  readonly shards: number;
  /** Consumer tasks at the first deployment; later ones leave their number alone. Default: 3, the seed's. 0: consumers are started by hand. */
  readonly pods: number;
  /** Producer tasks: 0 or 1. Default: 1. */
  readonly producers: number;
  /** Metric namespace, and the stack's name with a capital. Default: evenkeel. */
  readonly application: string;
  /** Records a second from the producer. Default: 200. */
  readonly rate: number;
  /** Distinct partition keys of the producer. Default: 400, enough that each of 30 shards gets some. */
  readonly keys: number;
  /** Zipf exponent of the producer's key choice. Default: 0, even. */
  readonly skew: number;
  /** Folder on this machine for history files. Default: none. Embedded endpoint only. */
  readonly historyDirectory: string | undefined;
  /** `log`: a log line per record and batch, which AWS bills by the gigabyte. Default: `none`. */
  readonly history: "none" | "log";
  /** True: an emulator, named by AWS_ENDPOINT_URL. Images go by name there; nothing is built or pushed. */
  readonly emulated: boolean;
}

const NAMES = [
  ...["shards", "pods", "producers", "application", "rate", "keys", "skew"],
  ...["historyDirectory", "history"],
];
/** The CDK's own have a colon, a slash or an @ in them, but for this one. */
const OF_THE_CDK = "acknowledged-issue-numbers";

/** @throws SettingsError for a name that looks like one of ours and is none: a misspelt one would deploy the default. */
function requireKnownNames(context: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(context).find(
    (name) => /^[\w-]*$/.test(name) && name !== OF_THE_CDK && !NAMES.includes(name),
  );
  if (unknown === undefined) return;
  throw new SettingsError(
    `context ${JSON.stringify(unknown)} is not known; expected ${NAMES.join(", ")} (given with -c, in cdk.json, cdk.context.json or ~/.cdk.json)`,
  );
}

/** @throws SettingsError naming the value, what was expected and how to give it. */
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
