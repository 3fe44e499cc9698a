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

/** A record as Kinesis has it, before de-aggregation: `subSequenceNumber` is 0. A plain one goes to the handler as it is. */
export type StreamRecord = ConsumerRecord;

export interface ReadResult {
  readonly records: readonly StreamRecord[];
  /** Undefined: the answer says that the shard is read to its end. Not believed until the listing confirms it. */
  readonly nextIterator: string | undefined;
  /** Children of a shard read to its end; undefined when the endpoint does not say (then list shards). */
  readonly children: readonly Shard[] | undefined;
  readonly millisBehindLatest: number;
}

/** `expired-iterator`: ask for a new one after the last sequence number. */
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
  /** All shards that are still readable, open and closed, from every page. */
  listShards(): Promise<readonly Shard[]>;
  iterator(shardId: string, position: Position): Promise<string>;
  read(iterator: string, maxRecords: number): Promise<ReadResult>;
}

export interface StreamDescription {
  readonly identity: StreamIdentity;
  /** False: the stream ignores partition keys (`RecordDistributionStrategy: AUTO`), so that order per key is void. */
  readonly keepsOrderPerKey: boolean;
}
