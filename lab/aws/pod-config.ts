/**
 * A pod's configuration file (`config/config-podN.yaml`), with the seed's names. The file is validated, and
 * an unknown key is named in the error. The effective value of a setting comes from the environment, else
 * from the file, else from the default; its origin is kept.
 */
import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { z } from "zod";
import { CONSUMER_ENVIRONMENT } from "../../services/contract/environment.ts";
import { type BoundedOption, OPTION_BOUNDS } from "../../src/defaults.ts";
import { closest } from "../../src/suggest.ts";
import { messageOf, wrongUse } from "../errors.ts";

/** `min(10, shards/pods)`, the seed's formula. Only the number in it may differ. */
const CAP_FORMULA = /^min\(\s*(\d+)\s*,\s*(?:num)?shards\s*\/\s*(?:num)?pods\s*\)$/i;

interface Setting {
  /** The position in the file: the section, then the seed's (KCL's) name. */
  readonly section: "worker" | "lease" | "reader";
  readonly name: string;
  readonly variable: keyof typeof CONSUMER_ENVIRONMENT;
  readonly schema: z.ZodType<string | number | boolean>;
  readonly expected: string;
  /** The value if neither the file nor the environment sets it: the default of the library or the stack. */
  readonly fallback: string;
}

const duration = (option: BoundedOption) => {
  const { least, most } = OPTION_BOUNDS[option];
  return {
    schema: z.int().min(least).max(most),
    expected: `milliseconds, a whole number from ${least} to ${most}`,
    fallback: String(OPTION_BOUNDS[option].fallback),
  };
};

const SETTINGS: readonly Setting[] = [
  {
    section: "worker",
    name: "WorkerId",
    variable: "workerId",
    schema: z.string().min(1).max(200),
    expected: "a name",
    fallback: "",
  },
  {
    section: "lease",
    name: "EnableLeaseStealing",
    variable: "enableLeaseStealing",
    schema: z.boolean(),
    expected: "true or false",
    fallback: "true",
  },
  {
    section: "lease",
    name: "LeaseStealing.StealingStrategy",
    variable: "enableLeaseStealing",
    schema: z.literal("EVEN_DISTRIBUTION"),
    expected: "EVEN_DISTRIBUTION",
    fallback: "EVEN_DISTRIBUTION",
  },
  {
    section: "lease",
    name: "MaxLeasesForWorker",
    variable: "maxLeasesLimit",
    schema: z.string().regex(CAP_FORMULA),
    expected: '"min(10, shards/pods)" with any number for the 10',
    fallback: "min(10, shards/pods)",
  },
  {
    section: "lease",
    name: "ShardSyncIntervalMillis",
    variable: "shardSyncIntervalMillis",
    ...duration("shardSyncIntervalMillis"),
  },
  {
    section: "lease",
    name: "FailoverTimeMillis",
    variable: "failoverTimeMillis",
    ...duration("failoverTimeMillis"),
    // The stack's default: its experiment stops a worker and should not wait for ten seconds.
    fallback: "4000",
  },
  {
    section: "lease",
    name: "LeaseRenewal",
    variable: "leaseRenewal",
    schema: z.enum(["worker", "lease"]),
    expected: "worker or lease",
    fallback: "worker",
  },
  {
    section: "reader",
    name: "InitialPosition",
    variable: "initialPosition",
    schema: z.enum(["TRIM_HORIZON", "LATEST"]),
    expected: "TRIM_HORIZON or LATEST",
    fallback: "TRIM_HORIZON",
  },
  {
    section: "reader",
    name: "IdleTimeBetweenReadsMillis",
    variable: "idleTimeBetweenReadsMillis",
    ...duration("idleTimeBetweenReadsMillis"),
  },
  {
    section: "reader",
    name: "CheckpointIntervalMillis",
    variable: "checkpointIntervalMillis",
    ...duration("checkpointIntervalMillis"),
  },
  {
    section: "worker",
    name: "MetricsLevel",
    variable: "metricsLevel",
    schema: z.enum(["none", "summary", "detailed"]),
    expected: "none, summary or detailed",
    fallback: "summary",
  },
  {
    section: "worker",
    name: "LogLevel",
    variable: "logLevel",
    schema: z.enum(["debug", "info", "warn", "error"]),
    expected: "debug, info, warn or error",
    fallback: "info",
  },
];

export interface EffectiveSetting {
  readonly name: string;
  readonly value: string;
  readonly origin: "default" | "file" | "environment";
}

type Values = ReadonlyMap<string, string>;

/** Throws a CommandError that names the file, the key, the given value and the expected value. */
export function readPodConfig(file: string): Values {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw wrongUse(`cannot read ${file} (${messageOf(error)}); config/config-pod1.yaml is an example`);
  }
  return parsePodConfig(text, file);
}

/** Pure. */
export function parsePodConfig(text: string, file: string): Values {
  const content = readYaml(text, file);
  if (!isSection(content)) throw wrongUse(`${file}: expected the sections worker, lease and reader`);
  const sections = [...new Set(SETTINGS.map((setting) => setting.section))];
  const values = new Map<string, string>();
  for (const [section, entries] of Object.entries(content)) {
    if (!sections.some((known) => known === section)) throw unknownKey(file, section, sections);
    if (!isSection(entries))
      throw wrongUse(`${file}: ${section} is ${shown(entries)}; expected settings below it`);
    const known = SETTINGS.filter((setting) => setting.section === section);
    for (const [name, value] of Object.entries(entries)) {
      const setting = known.find((candidate) => candidate.name === name);
      if (!setting)
        throw unknownKey(
          file,
          `${section}.${name}`,
          known.map((k) => `${section}.${k.name}`),
        );
      const checked = setting.schema.safeParse(value);
      if (!checked.success)
        throw wrongUse(`${file}: ${section}.${name} is ${shown(value)}; expected ${setting.expected}`);
      values.set(name, String(checked.data));
    }
  }
  return values;
}

function readYaml(text: string, file: string): unknown {
  const noYaml = (why: string) => wrongUse(`${file} is no YAML: ${why.split("\n")[0]?.replace(/:$/, "")}`);
  let problem: string | undefined;
  try {
    const document = parseDocument(text, { logLevel: "error" });
    problem = document.errors[0]?.message;
    if (problem === undefined) return document.toJS() ?? {};
  } catch (error) {
    // The parser throws on input that is nested too deeply, and on aliases that are unresolved or multiply.
    problem = messageOf(error);
  }
  throw noYaml(problem);
}

const SHOWN_CHARACTERS = 80;

/**
 * Formats a value of the file for a one-line error. Mappings and lists may have any size, and may contain
 * themselves.
 */
function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "a mapping";
  return typeof value === "string" ? JSON.stringify(shortened(value)) : String(value);
}

const shortened = (text: string): string =>
  text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function unknownKey(file: string, name: string, known: readonly string[]) {
  const near = closest(name, known);
  return wrongUse(
    `${file}: ${JSON.stringify(shortened(name)).slice(1, -1)} is unknown; ${near ? `did you mean ${near}?` : `known are ${known.join(", ")}`}`,
  );
}

export function effectiveSettings(
  file: Values,
  environment: Readonly<Record<string, string | undefined>>,
): EffectiveSetting[] {
  return SETTINGS.map((setting) => {
    const { name } = setting;
    const fromEnvironment = ownsVariable(setting)
      ? environment[CONSUMER_ENVIRONMENT[setting.variable]]
      : undefined;
    const inFile = file.get(name);
    if (fromEnvironment) return { name, value: displayed(setting, fromEnvironment), origin: "environment" };
    if (inFile !== undefined) return { name, value: inFile, origin: "file" };
    return { name, value: setting.fallback, origin: "default" };
  });
}

/** The strategy has only one value and no variable of its own. */
const ownsVariable = (setting: Setting): boolean => setting.name !== "LeaseStealing.StealingStrategy";

const displayed = (setting: Setting, value: string): string =>
  setting.variable === "maxLeasesLimit" ? `min(${value}, shards/pods)` : value;

/** The number in the cap's formula. */
export function limitOf(settings: readonly EffectiveSetting[]): number {
  const formula = settings.find((setting) => setting.name === "MaxLeasesForWorker")?.value ?? "";
  return Number(CAP_FORMULA.exec(formula)?.[1] ?? 10);
}

/** The environment for starting a consumer: the same names that `infra/` sets. */
export function consumerEnvironment(settings: readonly EffectiveSetting[]): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const setting of SETTINGS.filter(ownsVariable)) {
    const value = settings.find((effective) => effective.name === setting.name)?.value ?? "";
    if (value === "") continue;
    environment[CONSUMER_ENVIRONMENT[setting.variable]] =
      setting.variable === "maxLeasesLimit" ? String(limitOf(settings)) : value;
  }
  return environment;
}
