/**
 * A checker reads a history once, line by line, and knows nothing but its lines and the settings: whoever has
 * `history.jsonl` can come to the same verdict.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";

export interface Witness {
  /** One sentence that names what happened, where and when. */
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
  /** The history does not hold what is needed to tell. Counts as a failure of the run. */
  | { readonly kind: "unknown"; readonly why: string };

export interface Checker {
  readonly name: string;
  readonly expected: string | number;
  observe(event: HistoryEvent): void;
  /** Of what was observed so far. May be asked again after more. */
  verdict(): Verdict;
}

const MAX_WITNESSES = 10;

/** Counts all, keeps the first few. */
export class Witnesses {
  total = 0;
  private readonly kept: Witness[] = [];

  add(witness: Witness): void {
    this.total += 1;
    if (this.kept.length < MAX_WITNESSES) this.kept.push(witness);
  }

  invalid(actual: string | number = this.total): Verdict {
    return { kind: "invalid", actual, total: this.total, witnesses: [...this.kept] };
  }
}

export const unknown = (why: string): Verdict => ({ kind: "unknown", why });

/** Sequence numbers are decimal strings of up to 56 digits. */
export const compareSequenceNumbers = (a: string, b: string): number =>
  a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
