/**
 * The stream as one simulated worker reads it, with Kinesis's rules. Iterators expire. Each shard allows five
 * iterators and five reads a second. A read returns at most 10,000 records. Positions must be the shard's
 * own. Reads may find nothing although records follow. Closed parents stay readable to their end, where their
 * children are named. (The limit of 2 MiB a second per shard is left out: simulated records are far too small
 * for it.)
 */
import { type Position, type ReadResult, type Stream, StreamError } from "../../../src/ports/stream.ts";
import type { Happening } from "./history.ts";
import { type Call, directCall } from "./network.ts";
import { EPOCH_MILLIS } from "./sim-clock.ts";
import type { ShardData, StoredRecord, StreamData } from "./stream-data.ts";

/** Of each operation, per shard. */
const CALLS_PER_SECOND = 5;
const MAX_RECORDS = 10_000;
const MAX_BYTES = 10 * 1_048_576;

/** Shared by all readers of a stream. */
export interface StreamRules {
  readonly iteratorLifeMillis: number;
  /** False: like kinesalite, which ends an iterator without naming the children. */
  readonly namesChildren: boolean;
  /** True: the answer with the last records also ends the iterator. False: one more, empty, read does. */
  readonly endsWithRecords: boolean;
  /** Times of the last calls by operation and shard, for the limit. */
  readonly recentCalls: Map<string, number[]>;
}

export const streamRules = (rules: Partial<Omit<StreamRules, "recentCalls">> = {}): StreamRules => ({
  iteratorLifeMillis: 300_000,
  namesChildren: true,
  endsWithRecords: true,
  ...rules,
  recentCalls: new Map(),
});

export interface MemoryStreamOptions {
  readonly worker?: string;
  readonly call?: Call;
  readonly now?: () => number;
  readonly record?: (happening: Happening) => void;
  readonly calls?: Map<string, number>;
  /**
   * Whether a read that could return records returns none yet, as in Kinesis where a stretch without records
   * lies before them.
   */
  readonly findsNothing?: () => boolean;
}

/** Looks like the end of a shard without children. */
const NOTHING_READ: ReadResult = {
  records: [],
  nextIterator: undefined,
  children: undefined,
  millisBehindLatest: 0,
};

export function memoryStream(
  data: StreamData,
  rules: StreamRules,
  options: MemoryStreamOptions = {},
): Stream {
  const { worker = "worker", call = directCall, now = () => 0, record = () => undefined } = options;
  const { findsNothing = () => false } = options;
  const calls = options.calls ?? new Map<string, number>();

  const counted = <T>(operation: string, apply: () => T, empty?: () => T): Promise<T> => {
    calls.set(operation, (calls.get(operation) ?? 0) + 1);
    return call(operation, apply, (how) => new StreamError(how, `${operation}: ${how}`), empty);
  };

  return {
    listShards: () =>
      counted(
        "listShards",
        () => data.shards().map(({ shard }) => shard),
        () => [],
      ),
    iterator: (shardId, position) =>
      counted("iterator", () => {
        const shard = data.shard(shardId);
        if (shard === undefined) throw new StreamError("not-found", `${shardId} does not exist`);
        withinLimit("iterator", shardId);
        const refusal = whyRefused(shard.records, position, now());
        if (refusal !== undefined) throw new StreamError("invalid", `${shardId}: ${refusal}`);
        const index = startIndex(shard.records, position);
        record({ type: "iterator", worker, shardId, position });
        return `${shardId}|${index}|${now()}`;
      }),
    read: (iterator, maxRecords) => {
      const sentAt = now();
      return counted(
        "read",
        () => readAt(iterator, maxRecords, sentAt),
        () => NOTHING_READ,
      );
    },
  };

  function withinLimit(operation: "iterator" | "read", shardId: string): void {
    const key = `${operation} ${shardId}`;
    const recent = (rules.recentCalls.get(key) ?? []).filter((at) => at > now() - 1_000);
    rules.recentCalls.set(key, recent);
    if (recent.length >= CALLS_PER_SECOND)
      throw new StreamError("throttled", `more than ${CALLS_PER_SECOND} calls a second: ${key}`);
    recent.push(now());
  }

  function readAt(iterator: string, maxRecords: number, sentAt: number): ReadResult {
    const [shardId, index, issuedAt] = iterator.split("|");
    const start = Number(index);
    if (shardId === undefined || issuedAt === undefined || Number.isNaN(start)) {
      throw new StreamError("invalid", `not an iterator: ${iterator}`);
    }
    const shard = data.shard(shardId);
    if (shard === undefined) throw new StreamError("not-found", `${shardId} does not exist`);
    if (now() - Number(issuedAt) > rules.iteratorLifeMillis) {
      throw new StreamError(
        "expired-iterator",
        `iterator of ${shardId} is older than ${rules.iteratorLifeMillis} ms`,
      );
    }
    if (!(maxRecords >= 1 && maxRecords <= MAX_RECORDS))
      throw new StreamError("invalid", `1 to ${MAX_RECORDS} records can be asked for, not ${maxRecords}`);
    withinLimit("read", shardId);

    const records = findsNothing() ? [] : take(shard.records, start, maxRecords);
    const next = start + records.length;
    const caughtUp = next >= shard.records.length;
    const ended = caughtUp && shard.closedAt !== undefined && (rules.endsWithRecords || records.length === 0);
    record({ type: "read", worker, shardId, sentAt, count: records.length, atEnd: ended });
    return {
      records,
      nextIterator: ended ? undefined : `${shardId}|${next}|${now()}`,
      // This answer does not say whether a child has been closed in turn.
      children:
        ended && rules.namesChildren
          ? data.childrenOf(shardId).map((child) => ({ ...child, closed: false }))
          : undefined,
      millisBehindLatest: behind(shard, next, now()),
    };
  }
}

function take(records: readonly StoredRecord[], start: number, count: number): StoredRecord[] {
  const taken: StoredRecord[] = [];
  let bytes = 0;
  for (let index = start; index < records.length && taken.length < count; index++) {
    const record = records[index]!;
    bytes += record.data.byteLength;
    if (bytes > MAX_BYTES && taken.length > 0) break;
    taken.push(record);
  }
  return taken;
}

const behind = ({ records }: ShardData, next: number, now: number): number =>
  next < records.length ? Math.max(0, now - records[next]!.putAt) : 0;

/** Kinesis accepts no sequence number of another shard (or stream), and no time in the future. */
function whyRefused(records: readonly StoredRecord[], position: Position, now: number): string | undefined {
  if (position.kind === "at-timestamp") {
    return position.timestamp.getTime() > EPOCH_MILLIS + now ? "the timestamp is still to come" : undefined;
  }
  if (!("sequenceNumber" in position)) return undefined;
  const { sequenceNumber } = position;
  const own = records.some((record) => record.sequenceNumber === sequenceNumber);
  return own ? undefined : `${sequenceNumber} is no sequence number of this shard`;
}

function startIndex(records: readonly StoredRecord[], position: Position): number {
  const first = (matches: (record: StoredRecord) => boolean) => {
    const index = records.findIndex(matches);
    return index < 0 ? records.length : index;
  };
  switch (position.kind) {
    case "trim-horizon":
      return 0;
    case "latest":
      return records.length;
    case "at-timestamp":
      return first((record) => EPOCH_MILLIS + record.putAt >= position.timestamp.getTime());
    case "at-sequence-number":
      return first((record) => !isBefore(record.sequenceNumber, position.sequenceNumber));
    case "after-sequence-number":
      return first((record) => isBefore(position.sequenceNumber, record.sequenceNumber));
  }
}

/** Compares sequence numbers as decimals. */
const isBefore = (a: string, b: string): boolean => a.length < b.length || (a.length === b.length && a < b);
