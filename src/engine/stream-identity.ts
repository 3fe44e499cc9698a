/**
 * Checks that the stream is still the one the leases belong to. A stream that is deleted and created again
 * under its name has other records under other numbers, so every checkpoint is meaningless in it.
 *
 * A stream with another identity refuses calls: an old iterator, an old sequence number, an old shard. For a
 * while it does not exist at all. The identity is checked before such a refusal is passed on, so that no
 * position moves and no row is created for the wrong stream. Where nothing is refused, the listing shows the
 * change: a shard with a known name has another starting sequence number. While nothing looks wrong, nothing
 * is checked: a quiet fleet makes no DescribeStreamSummary call.
 *
 * I1: a refusal reaches its caller only after the identity has been confirmed since, or if it cannot be known
 *     (the table is not bound, or the permission to describe is missing).
 */

import { describeIdentity, isOtherStream, type StreamIdentity } from "../core/application.ts";
import { StreamReplacedError } from "../core/errors.ts";
import type { Shard } from "../core/shard.ts";
import type { Clock } from "../ports/clock.ts";
import { type Stream, type StreamDescription, StreamError } from "../ports/stream.ts";

/** How long one check counts for the refusals of all shards. */
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
  /**
   * A listing reported that there is no stream, or other starting numbers than before: it may be another
   * stream.
   */
  #isDoubted = false;
  /** Starting sequence numbers by shard. */
  #startingNumbers: ReadonlyMap<string, string> = new Map();

  constructor(deps: StreamIdentityDeps) {
    this.#deps = deps;
  }

  /** @param identity undefined: not known, so it is never checked */
  bind(identity: StreamIdentity | undefined): void {
    this.#bound = identity;
    this.#isReplaced = this.#isDoubted = false;
    this.#confirmedMillis = Number.NEGATIVE_INFINITY;
  }

  /**
   * A stream has an open shard from its creation to its deletion, so an empty listing is invalid. An
   * application that began with it would not know the existing shards; those that close before the next
   * listing would not be read.
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
   * Resolves when the stream is the one the leases belong to, or if that cannot be known.
   * @throws StreamError when it is another stream, or does not respond now
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
      // Without the permission to describe, the refusal is passed on. After any other failure the next
      // refusal checks again.
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
