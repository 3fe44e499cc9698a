/**
 * Counts records that were processed twice, and whether the row explains them: a worker was killed, stopped
 * or cut off, and its successor repeats what it processed after its last checkpoint, or a batch that was in
 * flight ends late. Two sequence numbers for one record are a retry of the producer and no repeat.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Excuse } from "./fleet.ts";

type RecordLine = Extract<HistoryEvent, { type: "record" }>;

export interface Repeats {
  readonly total: number;
  readonly unexplained: number;
  /** The first few unexplained repeats, as text. */
  readonly examples: readonly string[];
}

export class RepeatCounter {
  readonly #first = new Map<string, RecordLine>();
  readonly #repeats: { readonly first: RecordLine; readonly again: RecordLine }[] = [];

  observe(event: HistoryEvent): void {
    if (event.type !== "record") return;
    const id = `${event.shardId} ${event.sequenceNumber}`;
    const first = this.#first.get(id);
    if (first === undefined) this.#first.set(id, event);
    else this.#repeats.push({ first, again: event });
  }

  /** @param replayMillis the age that work without a checkpoint may have when the fault begins */
  result(excuses: readonly Excuse[], replayMillis: number): Repeats {
    const unexplained = this.#repeats.filter(
      ({ first, again }) => !excuses.some((excuse) => explains(excuse, first, again, replayMillis)),
    );
    return {
      total: this.#repeats.length,
      unexplained: unexplained.length,
      examples: unexplained.slice(0, 3).map(inWords),
    };
  }
}

function explains(excuse: Excuse, first: RecordLine, again: RecordLine, replayMillis: number): boolean {
  if (excuse.shardId !== undefined) return excuse.shardId === first.shardId && again.t >= excuse.from;
  const isReplay =
    first.worker === excuse.worker &&
    first.t >= excuse.from - replayMillis &&
    first.t <= excuse.until &&
    again.t >= excuse.from;
  const isLate = again.worker === excuse.worker && again.t >= excuse.from && again.t <= excuse.until;
  return isReplay || isLate;
}

const inWords = ({ first, again }: { first: RecordLine; again: RecordLine }): string =>
  `${again.worker} repeated ${again.n} of key ${again.key} in ${again.shardId} ${again.t - first.t} ms after ${first.worker}`;
