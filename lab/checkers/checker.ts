/**
 * A checker reads a history once, line by line. It uses only the lines and the settings, so anyone with
 * `history.jsonl` can reproduce the verdict.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";

export interface Witness {
  /** One sentence: what happened, where and when. */
  readonly text: string;
  readonly t?: number;
  readonly shardId?: string;
  readonly worker?: string;
  readonly key?: string;
  readonly n?: number;
}

export type Verdict =
  | { readonly kind: "valid"; readonly actual: string | number; readonly note?: string }
  /** `witnesses`: the first few of `total`. */
  | {
      readonly kind: "invalid";
      readonly actual: string | number;
      readonly total: number;
      readonly witnesses: readonly Witness[];
    }
  /** The history lacks the lines needed for a verdict. Counts as a failure of the run. */
  | { readonly kind: "unknown"; readonly why: string };

export interface Checker {
  readonly name: string;
  readonly expected: string | number;
  observe(event: HistoryEvent): void;
  /** The verdict on the events observed so far. May be called again after more events. */
  verdict(): Verdict;
}

const MAX_WITNESSES = 10;

/** Counts all witnesses and keeps the first few. */
export class Witnesses {
  total = 0;
  readonly #kept: Witness[] = [];

  add(witness: Witness): void {
    this.total += 1;
    if (this.#kept.length < MAX_WITNESSES) this.#kept.push(witness);
  }

  invalid(actual: string | number = this.total): Verdict {
    return { kind: "invalid", actual, total: this.total, witnesses: [...this.#kept] };
  }
}

export const unknown = (why: string): Verdict => ({ kind: "unknown", why });

/** Sequence numbers are decimal strings of up to 56 digits. */
export const compareSequenceNumbers = (a: string, b: string): number =>
  a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
