/** Reads settings from the environment. A wrong value produces one line that states the expected value. */

/** A setting is wrong. The message is one line for the user. The process exits with code 2. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface NumberRange {
  readonly fallback: number;
  readonly least: number;
  /** Default: no bound. */
  readonly most?: number;
  /** Default: whole numbers only. */
  readonly kind?: "whole" | "any";
}

export interface SettingsReader {
  /** Undefined: not set, or blank. */
  optional(name: string): string | undefined;
  /** @param expected describes the missing value, in words */
  required(name: string, expected: string): string;
  number(name: string, range: NumberRange): number;
  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T;
}

/** Every method throws a SettingsError that names the variable, its value and the expected value. */
export function settingsReader(environment: Environment): SettingsReader {
  const optional = (name: string) => environment[name]?.trim() || undefined;
  return {
    optional,
    required: (name, expected) => optional(name) ?? fail(name, undefined, expected),
    number(name, { fallback, least, most = Number.MAX_SAFE_INTEGER, kind = "whole" }) {
      const text = optional(name);
      if (text === undefined) return fallback;
      const isNumber = kind === "whole" ? /^\d+$/.test(text) : /^\d+(\.\d+)?$/.test(text);
      const value = Number(text);
      if (isNumber && value >= least && value <= most) return value;
      const upTo = most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`;
      return fail(name, text, `a ${kind === "whole" ? "whole " : ""}number from ${least}${upTo}`);
    },
    oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
      const text = optional(name) ?? fallback;
      return allowed.find((one) => one === text) ?? fail(name, text, choiceOf(allowed));
    },
  };
}

const choiceOf = (allowed: readonly string[]): string =>
  allowed.length > 2 ? `one of ${allowed.join(", ")}` : allowed.join(" or ");

function fail(name: string, value: string | undefined, expected: string): never {
  const given = value === undefined ? "not set" : JSON.stringify(value);
  throw new SettingsError(`${name} is ${given}; expected ${expected}`);
}
