/** What `-c name=value` may say, and the one line that says what is wrong with it. */

export interface StackSettings {
  /** Shards of the stream at the first deployment. Default: 20, the seed's. */
  readonly shards: number;
  /** Consumer tasks. Default: 3, the seed's. 0: a stack to start consumers by hand. */
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
  /** Folder on this machine for history files. Default: none, history goes to the log. Embedded endpoint only. */
  readonly historyDirectory: string | undefined;
  /** True: an emulator, named by AWS_ENDPOINT_URL. Images go by name there; nothing is built or pushed. */
  readonly emulated: boolean;
}

/** A context value is wrong. The message is one line for the user. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** @throws SettingsError naming the value, what was expected and how to give it. */
export function readSettings(
  context: (name: string) => unknown,
  environment: Readonly<Record<string, string | undefined>>,
): StackSettings {
  const number = (name: string, fallback: number, least: number, most: number, whole = true): number => {
    const given = context(name) ?? fallback;
    const value = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
    if (typeof value === "number" && value >= least && value <= most && (!whole || Number.isInteger(value)))
      return value;
    throw wrong(name, given, `a ${whole ? "whole " : ""}number from ${least} to ${most}`, fallback);
  };
  const application = context("application") ?? "evenkeel";
  if (typeof application !== "string" || !/^[a-z][a-z0-9-]{0,38}$/.test(application)) {
    throw wrong(
      "application",
      application,
      "at most 39 lower-case letters, digits and hyphens, a letter first",
      "evenkeel",
    );
  }
  const emulated = Boolean(environment.AWS_ENDPOINT_URL);
  const historyDirectory = context("historyDirectory");
  if (
    historyDirectory !== undefined &&
    (typeof historyDirectory !== "string" || !historyDirectory.startsWith("/"))
  ) {
    throw wrong("historyDirectory", historyDirectory, "an absolute path", "/tmp/history");
  }
  if (historyDirectory !== undefined && !emulated) {
    throw new SettingsError(
      "historyDirectory is for the embedded endpoint only, and AWS_ENDPOINT_URL is not set; leave it out: history goes to the log on AWS",
    );
  }
  return {
    shards: number("shards", 20, 1, 1_000),
    pods: number("pods", 3, 0, 200),
    producers: number("producers", 1, 0, 1),
    application,
    rate: number("rate", 200, 1, 10_000),
    keys: number("keys", 400, 1, 100_000),
    skew: number("skew", 0, 0, 5, false),
    historyDirectory,
    emulated,
  };
}

const wrong = (name: string, given: unknown, expected: string, example: unknown) =>
  new SettingsError(
    `context ${name} is ${JSON.stringify(given)}; expected ${expected}, for example -c ${name}=${example}`,
  );

/** `evenkeel` → `Evenkeel`. */
export const stackName = (application: string) => application.charAt(0).toUpperCase() + application.slice(1);
