/**
 * One shard and one lease in memory, and a reader on them. The stream keeps Kinesis's rules (positions,
 * expiry, end of shard, 10 MiB an answer). The test queues faults, which happen to the next calls.
 */

import { FULL_RANGE, type HashRange } from "../../../src/core/hash-range.ts";
import type { Checkpoint } from "../../../src/core/lease.ts";
import type { ConsumerRecord } from "../../../src/core/record.ts";
import { ErrorReports } from "../../../src/engine/error-reports.ts";
import { createByteBudget } from "../../../src/engine/reader/byte-budget.ts";
import type {
  ProcessRecordsInput,
  ShardEvent,
  ShardReaderDeps,
  ShardReaderOptions,
} from "../../../src/engine/reader/reader-options.ts";
import type { HeldLease, ShardConsumer, ShardOutcome } from "../../../src/engine/reader/shard-consumer.ts";
import { startShardConsumer } from "../../../src/engine/reader/shard-reader.ts";
import { type Metrics, noMetrics } from "../../../src/ports/metrics.ts";
import { seededRandom } from "../../../src/ports/random.ts";
import {
  type Position,
  type ReadResult,
  type Shard,
  type Stream,
  StreamError,
  type StreamErrorClass,
  type StreamRecord,
} from "../../../src/ports/stream.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

export const SHARD_ID = "shardId-000000000000";

export const shard = (shardId: string, parentShardIds: string[] = [], closed = false): Shard => ({
  shardId,
  parentShardIds,
  hashRange: FULL_RANGE,
  closed,
});

/** Sequence numbers like Kinesis's: long, and rising by more than one. */
export const sequence = (n: number): string => (49_000_000_000_000_000_000n + BigInt(n) * 7n).toString();

export class TestStream implements Stream {
  readonly records: (StreamRecord & { readonly at: number })[] = [];
  readonly reads: {
    readonly at: number;
    readonly count: number;
    readonly bytes: number;
    readonly limit: number;
  }[] = [];
  readonly positions: Position[] = [];
  readonly readFaults: (StreamErrorClass | undefined)[] = [];
  readonly iteratorFaults: (StreamErrorClass | undefined)[] = [];
  readonly listingFaults: (StreamErrorClass | undefined)[] = [];
  /** Refuses a position for as long as it returns an error. */
  refuses: (position: Position) => StreamErrorClass | undefined = () => undefined;
  /** This many of the next reads are answered as if the shard ended there. */
  falseEnds = 0;
  /** This many of the next reads are never answered. */
  mute = 0;
  /** The listing lags by this time. */
  listingLagMillis = 0;
  shards: Shard[] = [shard(SHARD_ID)];
  children: Shard[] | undefined;
  closed = false;
  readLatencyMillis = 10;
  iteratorLatencyMillis = 0;
  iteratorLifeMillis = 300_000;
  listings = 0;
  #closedAt = Number.POSITIVE_INFINITY;
  #trimmed = 0;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  put(count: number, bytes = 100): void {
    for (let index = 0; index < count; index += 1) this.putData(new Uint8Array(bytes));
  }

  putData(data: Uint8Array): void {
    const n = this.records.length + 1;
    this.records.push({
      data,
      partitionKey: `key-${n % 5}`,
      sequenceNumber: sequence(n),
      subSequenceNumber: 0,
      approximateArrivalTimestamp: new Date(this.#clock.wallMillis()),
      at: this.#clock.now,
    });
  }

  /** The first `count` records fall out of retention. */
  trim(count: number): void {
    this.#trimmed = Math.max(this.#trimmed, count);
  }

  listShards(): Promise<readonly Shard[]> {
    this.listings += 1;
    try {
      this.#fault(this.listingFaults);
    } catch (error) {
      return Promise.reject(error);
    }
    // A shard whose end may be read is listed as closed sooner or later.
    if (this.closed) this.#closedAt = Math.min(this.#closedAt, this.#clock.now);
    const closed = (one: Shard) =>
      one.shardId === SHARD_ID && this.#clock.now >= this.#closedAt + this.listingLagMillis;
    return Promise.resolve(this.shards.map((one) => (closed(one) ? { ...one, closed: true } : one)));
  }

  async iterator(_shardId: string, position: Position): Promise<string> {
    if (this.iteratorLatencyMillis > 0) await this.#clock.sleep(this.iteratorLatencyMillis);
    this.#fault(this.iteratorFaults);
    this.#fault([this.refuses(position)]);
    this.positions.push(position);
    return `${Math.max(this.#trimmed, this.#index(position))}@${this.#clock.now}`;
  }

  async read(iterator: string, maxRecords: number): Promise<ReadResult> {
    const startedAt = this.#clock.now;
    const index = this.reads.push({ at: startedAt, count: 0, bytes: 0, limit: maxRecords }) - 1;
    if (this.mute > 0) {
      this.mute -= 1;
      return new Promise(() => undefined);
    }
    await this.#clock.sleep(this.readLatencyMillis);
    this.#fault(this.readFaults);
    const [from, issuedAt] = iterator.split("@").map(Number) as [number, number];
    if (startedAt - issuedAt > this.iteratorLifeMillis) throw new StreamError("expired-iterator", "expired");
    const taken: StreamRecord[] = [];
    let bytes = 0;
    for (const record of this.records.slice(Math.max(from, this.#trimmed), from + maxRecords)) {
      const size = record.data.length + record.partitionKey.length;
      if (bytes + size > 10 * 1024 * 1024 && taken.length > 0) break;
      bytes += size;
      taken.push(record);
    }
    this.reads[index] = { at: startedAt, count: taken.length, bytes, limit: maxRecords };
    const next = Math.max(from, this.#trimmed) + taken.length;
    const isFalseEnd = this.falseEnds > 0;
    this.falseEnds -= isFalseEnd ? 1 : 0;
    const ended = isFalseEnd || (this.closed && next >= this.records.length);
    const pending = this.records[next];
    return {
      records: taken,
      nextIterator: ended ? undefined : `${next}@${this.#clock.now}`,
      children: ended ? this.children : undefined,
      millisBehindLatest: pending === undefined ? 0 : Math.max(1, this.#clock.now - pending.at),
    };
  }

  #fault(faults: (StreamErrorClass | undefined)[]): void {
    const problem = faults.shift();
    if (problem !== undefined) throw new StreamError(problem, `injected: ${problem}`);
  }

  #index(position: Position): number {
    const first = (matches: (record: StreamRecord & { at: number }) => boolean) => {
      const index = this.records.findIndex(matches);
      return index === -1 ? this.records.length : index;
    };
    switch (position.kind) {
      case "trim-horizon":
        return 0;
      case "latest":
        return this.records.length;
      case "at-timestamp":
        return first((record) => record.approximateArrivalTimestamp >= position.timestamp);
      case "at-sequence-number":
        return first((record) => BigInt(record.sequenceNumber) >= BigInt(position.sequenceNumber));
      case "after-sequence-number":
        return first((record) => BigInt(record.sequenceNumber) > BigInt(position.sequenceNumber));
    }
  }
}

export class TestLease implements HeldLease {
  readonly leaseKey = SHARD_ID;
  readonly writes: { readonly at: number; readonly checkpoint: Checkpoint }[] = [];
  /** What happens to the next writes; "ok" when empty. */
  readonly outcomes: ("ok" | "lost" | Error)[] = [];
  writeMillis = 5;
  startMillis: number | undefined;
  hashRange: HashRange | undefined = FULL_RANGE;
  readonly #clock: VirtualClock;
  #checkpoint: Checkpoint;

  constructor(clock: VirtualClock, checkpoint: Checkpoint) {
    this.#clock = clock;
    this.#checkpoint = checkpoint;
  }

  get lease() {
    return {
      leaseKey: SHARD_ID,
      owner: "me",
      counter: this.writes.length,
      checkpoint: this.#checkpoint,
      ownerSwitchesSinceCheckpoint: 0,
      parentShardIds: [],
      childShardIds: [],
      hashRange: this.hashRange,
      checkpointOwner: undefined,
      startMillis: this.startMillis,
    };
  }

  async checkpoint(checkpoint: Checkpoint): Promise<"ok" | "lost"> {
    await this.#clock.sleep(this.writeMillis);
    const outcome = this.outcomes.shift() ?? "ok";
    if (outcome instanceof Error) throw outcome;
    if (outcome === "lost") return "lost";
    this.writes.push({ at: this.#clock.now, checkpoint });
    this.#checkpoint = checkpoint;
    return "ok";
  }
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export interface ShardWorld {
  readonly clock: VirtualClock;
  readonly stream: TestStream;
  readonly lease: TestLease;
  readonly consumer: ShardConsumer;
  /** Every record of every handler call, in order of delivery. */
  readonly delivered: ConsumerRecord[];
  readonly calls: ProcessRecordsInput[];
  readonly events: ShardEvent[];
  readonly logs: LogLine[];
  readonly reports: ErrorReports;
  readonly metrics: { name: string; value: number; operation: string; shardId: string | undefined }[];
  /** Set when the consumer has finished. */
  outcome: ShardOutcome | undefined;
  /** The records delivered to the handler, as indexes 1… in the stream. */
  indexes(): number[];
}

export interface WorldSetup {
  readonly options?: Partial<ShardReaderOptions>;
  readonly deps?: Partial<ShardReaderDeps>;
  readonly checkpoint?: Checkpoint;
  readonly clock?: VirtualClock;
  /** Prepares the stream before the reader starts. */
  readonly prepare?: (stream: TestStream, lease: TestLease, clock: VirtualClock) => void;
  /** What the handler does after the call was noted. */
  readonly handler?: (input: ProcessRecordsInput, world: ShardWorld) => Promise<void> | void;
  readonly seed?: number;
}

export function shardWorld(setup: WorldSetup = {}): ShardWorld {
  const clock = setup.clock ?? new VirtualClock();
  const stream = new TestStream(clock);
  const lease = new TestLease(
    clock,
    setup.checkpoint ?? { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
  );
  setup.prepare?.(stream, lease, clock);
  const logs: LogLine[] = [];
  const log = (level: string) => (fields: object, message: string) => {
    logs.push({ level, message, fields: fields as Record<string, unknown> });
  };
  const measured: ShardWorld["metrics"] = [];
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const metrics: Metrics = {
    ...noMetrics,
    record: (name, value, _unit, dimensions) => {
      measured.push({ name, value, operation: dimensions.Operation, shardId: dimensions.ShardId });
    },
  };
  const world = {
    clock,
    stream,
    lease,
    delivered: [] as ConsumerRecord[],
    calls: [] as ProcessRecordsInput[],
    events: [] as ShardEvent[],
    logs,
    reports: new ErrorReports({ clock, logger, metrics }),
    metrics: measured,
    outcome: undefined as ShardOutcome | undefined,
    indexes: () => world.delivered.map((record) => indexOf(record)),
  };
  const deps: ShardReaderDeps = {
    stream,
    clock,
    random: seededRandom(setup.seed ?? 1),
    logger,
    metrics,
    budget: createByteBudget(64 * 1024 * 1024),
    whenFresh: () => Promise.resolve(),
    reports: world.reports,
    observe: (event) => world.events.push(event),
    ...setup.deps,
  };
  const options: ShardReaderOptions = {
    initialPosition: "TRIM_HORIZON",
    onError: "stop",
    processTimeoutMillis: undefined,
    checkpointMode: "auto",
    checkpointIntervalMillis: 5_000,
    maxRecords: 10_000,
    kplHashRange: "keep",
    idleTimeBetweenReadsMillis: 1_000,
    ...setup.options,
    processRecords: async (input) => {
      world.calls.push(input);
      world.delivered.push(...input.records);
      await setup.handler?.(input, world as ShardWorld);
    },
  };
  const consumer = startShardConsumer(deps, options, lease);
  void consumer.finished.then((outcome) => {
    world.outcome = outcome;
  });
  return Object.assign(world, { consumer });
}

/** 1 for the first record ever put. */
export const indexOf = (position: { readonly sequenceNumber: string }): number =>
  Number((BigInt(position.sequenceNumber) - 49_000_000_000_000_000_000n) / 7n);

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

export const checkpointAt = (n: number, subSequenceNumber = 0): Checkpoint => ({
  sequenceNumber: sequence(n),
  subSequenceNumber,
});
