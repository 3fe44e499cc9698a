/**
 * Whether the stream is still the one that the leases are of. A stream that is deleted and made again under its name has
 * other records under other numbers, and every checkpoint means nothing in it.
 *
 * A stream of another identity shows in what it refuses: an old iterator, an old sequence number, an old shard, and for a
 * while the stream itself. Each of these is asked about before it is passed on, so that no position moves and no row is
 * made for the wrong stream. Where nothing is refused, the listing shows it: shards of a known name begin with another
 * sequence number. While nothing looks odd, nothing is asked: DescribeStreamSummary costs no call in a quiet fleet.
 *
 * S1: a refusal reaches its caller only after the identity was confirmed since, or cannot be known (the table is not bound,
 *     or the right to describe is missing).
 */

import { describeIdentity, isOtherStream, type StreamIdentity } from "../core/application.ts";
import { StreamReplacedError } from "../core/errors.ts";
import type { Shard } from "../core/shard.ts";
import type { Clock } from "../ports/clock.ts";
import { type Stream, type StreamDescription, StreamError } from "../ports/stream.ts";

/** One answer counts for the refusals of all shards in so long. */
const CONFIRMED_FOR_MILLIS = 1_000;

export interface StreamIdentityDeps {
  readonly clock: Clock;
  readonly stream: Stream;
  readonly describeStream: () => Promise<StreamDescription>;
  /** Called once for each binding. */
  replaced(error: StreamReplacedError): void;
}

export class IdentifiedStream implements Stream {
  readonly #deps: StreamIdentityDeps;
  #bound: StreamIdentity | undefined;
  #confirmedMillis = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;
  #isReplaced = false;
  /** A listing said that there is no stream, or showed other shards than before: it may be another one. */
  #isDoubted = false;
  /** By shard. */
  #startingNumbers: ReadonlyMap<string, string> = new Map();

  constructor(deps: StreamIdentityDeps) {
    this.#deps = deps;
  }

  /** @param identity undefined: not known, and nothing is ever asked */
  bind(identity: StreamIdentity | undefined): void {
    this.#bound = identity;
    this.#isReplaced = this.#isDoubted = false;
    this.#confirmedMillis = Number.NEGATIVE_INFINITY;
  }

  /**
   * Every stream has an open shard from its creation to its end: a listing without one is none. What is begun with it would
   * not know which shards there were, and those that are closed before the next listing would not be read.
   */
  async listShards(): Promise<readonly Shard[]> {
    const shards = await this.#deps.stream.listShards().catch((error: unknown) => {
      this.#isDoubted ||= error instanceof StreamError && error.problem === "not-found";
      throw error;
    });
    if (shards.length === 0) throw new StreamError("malformed-answer", "ListShards names no shard");
    this.#compare(shards);
    if (this.#isDoubted) await this.confirm();
    this.#isDoubted = false;
    return shards;
  }

  #compare(shards: readonly Shard[]): void {
    const before = this.#startingNumbers;
    const numbers = shards.flatMap(({ shardId, startingSequenceNumber: number }) =>
      number === undefined ? [] : [[shardId, number] as const],
    );
    this.#startingNumbers = new Map(numbers);
    this.#isDoubted ||= numbers.some(([shardId, number]) => (before.get(shardId) ?? number) !== number);
  }

  iterator: Stream["iterator"] = (shardId, position) =>
    this.#deps.stream.iterator(shardId, position).catch((error: unknown) => this.#doubt(error));

  read: Stream["read"] = (iterator, maxRecords) =>
    this.#deps.stream.read(iterator, maxRecords).catch((error: unknown) => this.#doubt(error));

  /**
   * Resolves when the stream is the one that the leases are of, or that cannot be known.
   * @throws StreamError when it is another one, or does not answer now
   */
  async confirm(): Promise<void> {
    if (this.#bound === undefined) return;
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
  }

  async #doubt(error: unknown): Promise<never> {
    const refuses =
      error instanceof StreamError && (error.problem === "invalid" || error.problem === "not-found");
    if (refuses) await this.confirm();
    throw error;
  }

  async #check(): Promise<void> {
    const { clock, describeStream, replaced } = this.#deps;
    const bound = this.#bound;
    if (clock.monotonicMillis() - this.#confirmedMillis < CONFIRMED_FOR_MILLIS) return;
    let identity: StreamIdentity;
    try {
      ({ identity } = await describeStream());
    } catch (error) {
      // Without the right to ask, the refusal stands as it is. Whatever else fails is asked again with the next refusal.
      if (error instanceof StreamError && error.problem === "denied") return;
      throw error;
    }
    if (bound === undefined || bound !== this.#bound) return;
    if (!isOtherStream(bound, identity)) {
      this.#confirmedMillis = clock.monotonicMillis();
      return;
    }
    const error = new StreamReplacedError(describeIdentity(bound), describeIdentity(identity));
    if (!this.#isReplaced) replaced(error);
    this.#isReplaced = true;
    throw new StreamError("not-found", error.message, { cause: error });
  }
}
