/**
 * A place in a shard: the position, its iterator from Kinesis, and the calls that move it forward. The
 * fetcher decides what to do about a failure (`fetcher.ts`).
 */
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Position, ReadResult, Shard, Stream } from "../../ports/stream.ts";
import type { ReadPosition } from "./position.ts";

export interface CursorDeps {
  readonly stream: Stream;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ShardCursor {
  readonly #deps: CursorDeps;
  readonly #shardId: string;
  readonly #position: ReadPosition;
  /** Called with every new iterator: the next records may have been read before. */
  readonly #reopened: () => void;
  #iterator: string | undefined;
  #hasLoggedEarlier = false;

  constructor(deps: CursorDeps, shardId: string, position: ReadPosition, reopened: () => void) {
    this.#deps = deps;
    this.#shardId = shardId;
    this.#position = position;
    this.#reopened = reopened;
  }

  get isOpen(): boolean {
    return this.#iterator !== undefined;
  }

  get position(): Position {
    return this.#position.current;
  }

  /** Gets an iterator for the position. */
  async open(): Promise<void> {
    this.#iterator = await this.#iteratorAt(this.#position.current);
    this.#position.opened();
    this.#reopened();
  }

  /** Reads at the iterator. The cursor stays in place until `advance`. */
  read(maxRecords: number): Promise<ReadResult> {
    if (this.#iterator === undefined) throw new Error(`no iterator for ${this.#shardId}: open comes first`);
    return this.#deps.stream.read(this.#iterator, maxRecords);
  }

  /** The records are taken: continues after them. */
  advance({ records, nextIterator }: ReadResult): void {
    this.#iterator = nextIterator;
    const last = records.at(-1);
    if (last !== undefined) this.#position.read(last);
  }

  listShards(): Promise<readonly Shard[]> {
    return this.#deps.stream.listShards();
  }

  /** The iterator is no longer usable. The position stays. */
  close(): void {
    this.#iterator = undefined;
  }

  /**
   * Kinesis refuses the position. Moves it after enough refusals, if Kinesis gives an iterator for another
   * place.
   * @returns whether the position has changed
   * @throws StreamError if Kinesis refuses the other places too: then the position is not the cause
   */
  async refused(): Promise<boolean> {
    const { logger } = this.#deps;
    const refused = this.#position.current;
    const shardId = this.#shardId;
    const others = this.#position.refused();
    if (this.#position.current !== refused && !this.#hasLoggedEarlier) {
      this.#hasLoggedEarlier = true;
      logger.warn(
        { shardId, refused, from: this.#position.current },
        "Kinesis refuses the time at which LATEST begins: the clock of the worker that wrote it is ahead; the shard is read from earlier on",
      );
    }
    let refusal: unknown;
    for (const position of others) {
      try {
        this.#iterator = await this.#iteratorAt(position);
      } catch (error) {
        refusal = error;
        continue;
      }
      this.#position.movedTo(position);
      this.#reopened();
      logger.error(
        { shardId, refused, from: position },
        "Kinesis refuses the position of this shard (trimmed away, or another stream's): reading from the nearest place before it; records between the two that are past their retention are lost",
      );
      return true;
    }
    if (refusal !== undefined) throw refusal;
    return this.#position.current !== refused;
  }

  #iteratorAt(position: Position): Promise<string> {
    return this.#deps.stream.iterator(this.#shardId, position);
  }
}
