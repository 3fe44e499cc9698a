/**
 * Decides which record of which key may be sent now. Pure. A key's counter always increases along the stream:
 * - At most one record of a key is in flight, so a later record cannot overtake a failed one.
 * - A record that was certainly not put releases its number.
 * - After an unknown outcome (the record may be in the stream, or arrive later) the key is retired at that
 *   number. A new key replaces it, so no record follows the unknown one and none is sent twice.
 */
import type { CountedRecord } from "../contract/history.ts";

export type PutOutcome = "put" | "not-put" | "unknown";

export interface KeyedRecord extends CountedRecord {
  readonly index: number;
}

interface KeyState {
  generation: number;
  nextNumber: number;
  waiting: number;
  underWay: boolean;
}

export class KeyLedger {
  readonly #prefix: string;
  readonly #states: KeyState[];
  /** Keys with a waiting record and none in flight, longest waiting first. */
  readonly #ready = new Set<number>();
  #waitingTotal = 0;

  /** `prefix` must differ from every other producer's, so that producers never share a key. */
  constructor(prefix: string, keys: number) {
    this.#prefix = prefix;
    this.#states = Array.from({ length: keys }, () => ({
      generation: 0,
      nextNumber: 1,
      waiting: 0,
      underWay: false,
    }));
  }

  /** Records waiting or in flight. */
  get outstanding(): number {
    return this.#waitingTotal;
  }

  add(index: number): void {
    const state = this.#states[index]!;
    state.waiting += 1;
    this.#waitingTotal += 1;
    if (!state.underWay) this.#ready.add(index);
  }

  /** The next batch, with each key at most once. Each record taken must be passed to `settle`. */
  take(most: number): KeyedRecord[] {
    const batch: KeyedRecord[] = [];
    for (const index of this.#ready) {
      if (batch.length === most) break;
      const state = this.#states[index]!;
      this.#ready.delete(index);
      state.underWay = true;
      batch.push({ index, key: this.#keyName(index, state.generation), n: state.nextNumber });
    }
    return batch;
  }

  settle({ index }: KeyedRecord, outcome: PutOutcome): void {
    const state = this.#states[index]!;
    state.underWay = false;
    state.waiting -= 1;
    this.#waitingTotal -= 1;
    if (outcome === "put") state.nextNumber += 1;
    if (outcome === "unknown") {
      state.generation += 1;
      state.nextNumber = 1;
    }
    if (state.waiting > 0) this.#ready.add(index);
  }

  #keyName(index: number, generation: number): string {
    return generation === 0 ? `${this.#prefix}-${index}` : `${this.#prefix}-${index}.${generation}`;
  }
}
