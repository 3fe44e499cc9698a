/** The stream, as the engine needs it. Adapters: Kinesis, and the simulator's. */
import type { StreamIdentity } from "../core/application.ts";
import type { ErrorClass } from "../core/error-class.ts";
import { codeOf, EvenkeelError } from "../core/errors.ts";
import type { ConsumerRecord } from "../core/record.ts";
import type { Shard } from "../core/shard.ts";

export type { Shard } from "../core/shard.ts";

export type Position =
  | { readonly kind: "trim-horizon" }
  | { readonly kind: "latest" }
  | { readonly kind: "at-timestamp"; readonly timestamp: Date }
  | { readonly kind: "at-sequence-number"; readonly sequenceNumber: string }
  | { readonly kind: "after-sequence-number"; readonly sequenceNumber: string };

/**
 * A record as Kinesis returns it, before de-aggregation: `subSequenceNumber` is 0. The handler gets a plain
 * record as it is.
 */
export type StreamRecord = ConsumerRecord;

export interface ReadResult {
  readonly records: readonly StreamRecord[];
  /**
   * Undefined: by this answer, the shard is read to its end. The engine does not trust it until the listing
   * confirms it.
   */
  readonly nextIterator: string | undefined;
  /** Children of a shard read to its end. Undefined: the endpoint does not return them (then list shards). */
  readonly children: readonly Shard[] | undefined;
  readonly millisBehindLatest: number;
}

/** `expired-iterator`: get a new one after the last sequence number. */
export type StreamErrorClass = ErrorClass | "expired-iterator";

export class StreamError extends EvenkeelError {
  override readonly name = "StreamError";
  readonly problem: StreamErrorClass;
  constructor(problem: StreamErrorClass, message: string, options?: ErrorOptions) {
    super(codeOf(problem), message, options);
    this.problem = problem;
  }
}

export interface Stream {
  /** All shards that are still readable, open and closed, from all pages. */
  listShards(): Promise<readonly Shard[]>;
  iterator(shardId: string, position: Position): Promise<string>;
  read(iterator: string, maxRecords: number): Promise<ReadResult>;
}

export interface StreamDescription {
  readonly identity: StreamIdentity;
  /**
   * False: the stream ignores partition keys (`RecordDistributionStrategy: AUTO`), so there is no order per
   * key.
   */
  readonly keepsOrderPerKey: boolean;
}
