/**
 * Readers of single DynamoDB attributes. Each names the attribute in its error, so that a row that cannot be
 * decoded states why. An absent attribute is `undefined`; an attribute of another type is a `RowError`.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";

export type Item = Readonly<Record<string, AttributeValue>>;

/** The table's partition key, and the discriminator of its rows, as in KCL. */
export const LEASE_KEY = "leaseKey";
export const ENTITY_TYPE = "entityType";

export class RowError extends Error {
  override readonly name = "RowError";
}

/** A row's text for an error message: one line, whatever the length and content of the text. */
export const shown = (text: string): string =>
  JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text).slice(1, -1);

const SHOWN_CHARACTERS = 80;

const typeOf = (value: AttributeValue): string => Object.keys(value)[0] ?? "nothing";

function wrongType(name: string, value: AttributeValue, expected: string): RowError {
  return new RowError(`${shown(name)} is of type ${typeOf(value)}, expected ${expected}`);
}

/** A non-empty string. No program writes empty ones, and a condition could never match one as "absent". */
export function readText(item: Item, name: string): string | undefined {
  const value = item[name];
  if (value === undefined) return undefined;
  if (value.S === undefined) throw wrongType(name, value, "S");
  if (value.S === "") throw new RowError(`${name} is an empty string, expected text or no attribute`);
  return value.S;
}

/** A whole number from 0 up to what a double holds exactly. */
export function readCount(item: Item, name: string): number | undefined {
  const value = item[name];
  if (value === undefined) return undefined;
  if (value.N === undefined) throw wrongType(name, value, "N");
  const number = Number(value.N);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new RowError(`${name} is ${shown(value.N)}, expected a whole number from 0 to 2^53 - 1`);
  }
  return number;
}

/**
 * A string set; absent is empty (KCL writes no empty sets). Sorted, because the order of a set has no
 * meaning.
 */
export function readTextSet(item: Item, name: string): readonly string[] {
  const value = item[name];
  if (value === undefined) return [];
  if (value.SS === undefined) throw wrongType(name, value, "SS");
  return value.SS.toSorted();
}

export function readFlag(item: Item, name: string): boolean | undefined {
  const value = item[name];
  if (value === undefined) return undefined;
  if (value.BOOL === undefined) throw wrongType(name, value, "BOOL");
  return value.BOOL;
}

export function readMap(item: Item, name: string): Item | undefined {
  const value = item[name];
  if (value === undefined) return undefined;
  if (value.M === undefined) throw wrongType(name, value, "M");
  return value.M;
}

export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new RowError(`${name} is missing`);
  return value;
}
