/** A row of the campaign: something that is done to a fleet, and what must hold then. */
import type { FleetUnderTest } from "./fleet.ts";

export const GROUPS = [
  "processes",
  "handler",
  "table",
  "stream",
  "metrics",
  "reshards",
  "by hand",
  "identity",
] as const;
export type Group = (typeof GROUPS)[number];

export interface RowCheck {
  readonly name: string;
  readonly expected: string | number;
  readonly actual: string | number;
  readonly ok: boolean;
}

export interface Expectation {
  /**
   * Records processed twice. 0: none, as in planned moves and whenever a fault hits all workers alike.
   * Otherwise why some may be, and the most: what `workers` of the fleet process in this many seconds.
   */
  readonly doubled: 0 | { readonly because: string; readonly workers: number; readonly seconds: number };
  /**
   * What some worker must log at level warn or above within 30 s of the beginning; undefined: nothing must be
   * logged.
   */
  readonly says?: RegExp;
  /** An error in the log would be a false alarm. */
  readonly noErrors?: true;
}

export interface Row {
  readonly name: string;
  readonly group: Group;
  /** The fault in a few words, for the matrix. */
  readonly about: string;
  readonly shards?: number;
  readonly workers?: number;
  /** One for each worker, in turn. Default: the same for all. */
  readonly failoverTimesMillis?: readonly number[];
  readonly expects: Expectation;
  /**
   * Starts with a fleet that is even and processes records. The load continues meanwhile and for a while
   * after.
   */
  readonly run: (fleet: FleetUnderTest) => Promise<void>;
}

export interface RowResult {
  readonly name: string;
  readonly group: Group;
  readonly about: string;
  readonly seed: number;
  readonly ok: boolean;
  readonly checks: readonly RowCheck[];
  readonly figures: Figures;
  readonly tookMillis: number;
}

export interface Figures {
  readonly put: number;
  readonly lost: number;
  readonly doubled: number;
  readonly doubledBecause: string;
  readonly disordered: number;
  /** The longest wait of a record after healing; null: nothing was put, or it is not judged. */
  readonly longestWaitMillis: number | null;
  /** Shards that the error policy halted. */
  readonly halted: number;
  /** Puts of the load, to which no fault applies: the endpoint was too busy to answer. */
  readonly unansweredPuts: number;
  /** The slowest answer of DynamoDB or Kinesis to the campaign itself. */
  readonly slowestAnswerMillis: number;
  readonly said: { readonly afterMillis: number; readonly text: string } | null;
}
