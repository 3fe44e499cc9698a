/**
 * Parsers for numbers and choices on the command line. A wrong value produces one line that names the option
 * and its valid values.
 */
import { wrongUse } from "../errors.ts";

export interface NumberRule {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

export function numberFor(option: string, rule: NumberRule): (text: string) => number {
  const kind = rule.integer === false ? "a number" : "a whole number";
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const whole = rule.integer === false || Number.isInteger(value);
    if (!Number.isFinite(value) || !whole || value < rule.min || value > rule.max)
      throw wrongUse(
        `${option}: ${JSON.stringify(text)} does not fit; give ${kind} from ${rule.min} to ${rule.max}`,
      );
    return value;
  };
}

export function choiceFor<T extends string>(option: string, choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined)
      throw wrongUse(`${option}: ${JSON.stringify(text)} is unknown; give ${choices.join(" or ")}`);
    return found;
  };
}
