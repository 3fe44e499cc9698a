/**
 * Bounds every call to a port by the engine's own deadline. A client given by the user may have no timeouts,
 * and one call that never settles must not cost a worker its place in the fleet.
 *
 * A missed deadline is an error that may pass (`unavailable`). The call may have happened; a late response is
 * ignored.
 */
import type { Clock } from "../ports/clock.ts";
import { type LeaseStore, StoreUnavailableError } from "../ports/lease-store.ts";
import { type Stream, StreamError } from "../ports/stream.ts";
import type { Ports } from "./engine-context.ts";

const between = (low: number, value: number, high: number): number => Math.min(high, Math.max(low, value));

/**
 * For one call to the lease table: two may fail within a failover time. A heartbeat gets less, so that the
 * next one is still in time. (The engine's own DynamoDB client tries twice, a fifth of the failover time
 * each: `adapters/aws-clients.ts`.)
 */
export const storeDeadlineMillis = (failoverTimeMillis: number): number =>
  between(1_000, 0.45 * failoverTimeMillis, 12_000);
export const heartbeatDeadlineMillis = (failoverTimeMillis: number): number =>
  between(400, 0.3 * failoverTimeMillis, 5_000);
/**
 * For a listing of all rows: five pages of 1 MB at 10,000 leases, each answered in well under a second. After
 * a miss the deadline grows: one that no listing meets would leave the fleet without a table.
 */
const listDeadlineMillis = (failoverTimeMillis: number): number => between(5_000, failoverTimeMillis, 15_000);
const MAX_LIST_DEADLINE_MILLIS = 120_000;
/** Three hanging listings in a row cost less than half a minute. */
const LIST_DEADLINE_GROWTH = 1.5;
/**
 * A new table takes about ten seconds. After a miss the call is repeated; it does not create a second table.
 */
const TABLE_DEADLINE_MILLIS = 20_000;
/** The engine's own Kinesis client stops after 5 s without a response. */
const ITERATOR_DEADLINE_MILLIS = 6_000;
/** One hanging call must not leave a shard unread for longer than the failover time plus 5 s. */
export const readDeadlineMillis = (failoverTimeMillis: number): number =>
  between(5_000, failoverTimeMillis + 2_000, 10_000);
/**
 * A response of 10 MiB may come over a slow line. With a constant deadline, each try would be cut off at the
 * same point.
 */
const MAX_READ_DEADLINE_MILLIS = 60_000;
const READ_DEADLINE_GROWTH = 1.5;
/** Ten pages of 1,000 shards, usually answered in well under a second. */
const LISTING_DEADLINE_MILLIS = 6_000;
const MAX_LISTING_DEADLINE_MILLIS = 30_000;
const LISTING_DEADLINE_GROWTH = 2;
/** Iterators with a missed deadline: more than a worker has failing shards. */
const MAX_MISSED = 1_000;

/** Settles as `call` does, or rejects with `error` after `millis`. */
export async function within<T>(
  clock: Clock,
  millis: number,
  call: Promise<T>,
  error: (millis: number) => Error,
): Promise<T> {
  const settled = new AbortController();
  const late = clock.sleep(millis, settled.signal).then(() => {
    if (!settled.signal.aborted) throw error(millis);
    return call;
  });
  late.catch(() => undefined); // the race below has the outcome
  try {
    return await Promise.race([call, late]);
  } finally {
    settled.abort();
    call.catch(() => undefined); // a late response is ignored
  }
}

export const withDeadlines = (ports: Ports, failoverTimeMillis: number): Ports => ({
  ...ports,
  store: storeWithDeadlines(ports.store, ports.clock, failoverTimeMillis),
  stream: streamWithDeadlines(ports.stream, ports.clock, failoverTimeMillis),
  describeStream: () =>
    within(
      ports.clock,
      ITERATOR_DEADLINE_MILLIS,
      ports.describeStream(),
      (millis) => new StreamError("unavailable", `DescribeStreamSummary: no answer in ${millis} ms`),
    ),
});

export function storeWithDeadlines(store: LeaseStore, clock: Clock, failoverTimeMillis: number): LeaseStore {
  const usual = storeDeadlineMillis(failoverTimeMillis);
  const heartbeat = heartbeatDeadlineMillis(failoverTimeMillis);
  const own: Partial<Record<keyof LeaseStore, number>> = {
    sendHeartbeat: heartbeat,
    readFleet: heartbeat,
    ensureTable: TABLE_DEADLINE_MILLIS,
  };
  const bounded = (Object.keys(store) as (keyof LeaseStore)[]).map((name) => {
    const method = store[name] as (...args: unknown[]) => Promise<unknown>;
    const error = (millis: number) =>
      new StoreUnavailableError(`${name}: the lease table gave no answer in ${millis} ms`);
    const call = (...args: unknown[]) => within(clock, own[name] ?? usual, method(...args), error);
    return [name, call] as const;
  });
  const list = retriedListing(store, clock, listDeadlineMillis(failoverTimeMillis));
  return { ...(Object.fromEntries(bounded) as unknown as LeaseStore), list };
}

function retriedListing(store: LeaseStore, clock: Clock, leastMillis: number): LeaseStore["list"] {
  let deadlineMillis = leastMillis;
  return async (options) => {
    const startedMillis = clock.monotonicMillis();
    const listing = await within(clock, deadlineMillis, store.list(options), (millis) => {
      deadlineMillis = Math.min(MAX_LIST_DEADLINE_MILLIS, LIST_DEADLINE_GROWTH * millis);
      return new StoreUnavailableError(`list: the lease table gave no answer in ${millis} ms`);
    });
    deadlineMillis = Math.max(leastMillis, 2 * (clock.monotonicMillis() - startedMillis));
    return listing;
  };
}

/** A deadline that grows when a call is repeated after a miss. */
class GrowingDeadline {
  readonly #least: number;
  readonly #most: number;
  readonly #growth: number;
  /** By call: its next deadline, if it missed the last one. */
  readonly #missed = new Map<string, number>();

  constructor(leastMillis: number, mostMillis: number, growth: number) {
    this.#least = leastMillis;
    this.#most = mostMillis;
    this.#growth = growth;
  }

  of(call: string): number {
    return this.#missed.get(call) ?? this.#least;
  }

  missed(call: string): void {
    const next = Math.min(this.#most, this.#growth * this.of(call));
    if (this.#missed.size >= MAX_MISSED) this.#missed.clear();
    this.#missed.set(call, next);
  }

  answered(call: string): void {
    this.#missed.delete(call);
  }
}

export function streamWithDeadlines(stream: Stream, clock: Clock, failoverTimeMillis: number): Stream {
  const noAnswer = (name: string, millis: number) =>
    new StreamError("unavailable", `${name}: no answer in ${millis} ms`);
  const growing = async <T>(name: string, deadline: GrowingDeadline, key: string, call: Promise<T>) => {
    const result = await within(clock, deadline.of(key), call, (millis) => {
      deadline.missed(key);
      return noAnswer(name, millis);
    });
    deadline.answered(key);
    return result;
  };
  const listings = new GrowingDeadline(
    LISTING_DEADLINE_MILLIS,
    MAX_LISTING_DEADLINE_MILLIS,
    LISTING_DEADLINE_GROWTH,
  );
  const reads = new GrowingDeadline(
    readDeadlineMillis(failoverTimeMillis),
    MAX_READ_DEADLINE_MILLIS,
    READ_DEADLINE_GROWTH,
  );
  return {
    listShards: () => growing("ListShards", listings, "", stream.listShards()),
    iterator: (shardId, position) =>
      within(clock, ITERATOR_DEADLINE_MILLIS, stream.iterator(shardId, position), (millis) =>
        noAnswer("GetShardIterator", millis),
      ),
    // An iterator belongs to one shard, and stays the same until a read with it is answered.
    read: (iterator, maxRecords) => growing("GetRecords", reads, iterator, stream.read(iterator, maxRecords)),
  };
}
