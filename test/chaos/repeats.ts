/**
 * Records processed twice, told apart by whether the row explains them: a worker was killed, stopped or cut off, and
 * its successor repeats what it had processed after its last checkpoint, or what it still had in its hands comes late.
 * Two sequence numbers for one record are the producer's retry and no repeat.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Excuse } from "./fleet.ts";

type RecordLine = Extract<HistoryEvent, { type: "record" }>;

export interface Repeats {
  readonly total: number;
  readonly unexplained: number;
  /** The first few that nothing explains, in words. */
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

  /** `replayMillis`: how old the work may be that was not checkpointed when the trouble began. */
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
