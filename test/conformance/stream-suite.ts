/**
 * Every promise of `src/ports/stream.ts`, for any stream. The Kinesis adapter runs it on kinesalite and on
 * the embedded endpoint, the simulator on its memory stream.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { adjacent, holes, midpoint } from "../../src/core/hash-range.ts";
import {
  type Position,
  type ReadResult,
  type Shard,
  type Stream,
  StreamError,
  type StreamErrorClass,
  type StreamRecord,
} from "../../src/ports/stream.ts";

export interface StreamCapabilities {
  /** The last read of a closed shard names its children (kinesalite's does not). */
  readonly namesChildren: boolean;
  /** A text that is no iterator is reported as invalid (kinesis-local answers it with a bare 500). */
  readonly refusesNonsense: boolean;
  /** The error class for a sequence number of another shard (kinesis-local does not find it). */
  readonly foreignNumber: StreamErrorClass;
}

export interface StreamUnderTest {
  /** A stream with as many open shards as requested, without records. */
  readonly stream: Stream;
  /** Puts one record where `explicitHashKey` says. */
  put(record: { partitionKey: string; explicitHashKey: bigint; data: string }): Promise<void>;
  /** Splits a shard in the middle; resolves when the children are listed. */
  split(shard: Shard): Promise<void>;
  merge(left: Shard, right: Shard): Promise<void>;
  /** Called before every read, where a limit of reads per second must be kept (virtual time passes). */
  beforeRead?(): Promise<void>;
  close(): Promise<void>;
}

/** Empty reads of an open shard have no end: a test that needs more than this has found a bug. */
const MAX_READS = 20;

export function describeStream(
  name: string,
  make: (shards: number) => Promise<StreamUnderTest>,
  capabilities: StreamCapabilities,
  around: { prepare?(): Promise<void>; tearDown?(): Promise<void> } = {},
): void {
  describe(`stream: ${name}`, () => {
    beforeAll(async () => around.prepare?.());
    afterAll(async () => around.tearDown?.());

    let under: StreamUnderTest;
    let stream: Stream;
    const open = async (shards: number): Promise<readonly Shard[]> => {
      under = await make(shards);
      stream = under.stream;
      return inOrder(await stream.listShards());
    };
    beforeEach(() => () => under.close());

    const put = (shard: Shard, ...texts: string[]) => putAt(shard.hashRange.start, ...texts);
    const putAt = async (explicitHashKey: bigint, ...texts: string[]) => {
      for (const data of texts) await under.put({ partitionKey: `key-${data}`, explicitHashKey, data });
    };
    const read = async (iterator: string, maxRecords = 1_000): Promise<ReadResult> => {
      await under.beforeRead?.();
      return stream.read(iterator, maxRecords);
    };
    /** Reads until there are `enough` records, or to the end of the shard. */
    const readOn = async (shard: Shard, position: Position, enough = Number.POSITIVE_INFINITY) => {
      const records: StreamRecord[] = [];
      let iterator = await stream.iterator(shard.shardId, position);
      for (let count = 0; count < MAX_READS; count++) {
        const result = await read(iterator);
        records.push(...result.records);
        if (result.nextIterator === undefined || records.length >= enough) return { records, last: result };
        iterator = result.nextIterator;
      }
      throw new Error(`no end of ${shard.shardId} after ${MAX_READS} reads`);
    };
    const shardOf = async (hashKey: bigint): Promise<Shard> => {
      const isOpenThere = ({ closed, hashRange }: Shard) =>
        !closed && hashRange.start <= hashKey && hashKey <= hashRange.end;
      return (await stream.listShards()).find(isOpenThere)!;
    };

    const childrenOf = async (parent: Shard): Promise<readonly Shard[]> =>
      inOrder((await stream.listShards()).filter((shard) => shard.parentShardIds.includes(parent.shardId)));

    it("lists shards that cover the key space once", async () => {
      const shards = await open(3);
      expect(shards).toHaveLength(3);
      expect(holes(shards.map((shard) => shard.hashRange))).toEqual([]);
      expect(adjacent(shards[0]!.hashRange, shards[1]!.hashRange)).toBe(true);
      expect(adjacent(shards[1]!.hashRange, shards[2]!.hashRange)).toBe(true);
      for (const shard of shards) expect(shard).toMatchObject({ closed: false, parentShardIds: [] });
    });

    it("reads records whole and in order, from the start", async () => {
      const [shard, other] = await open(2);
      await put(shard!, "one", "two", "three");
      await put(other!, "elsewhere");
      const { records, last } = await readOn(shard!, { kind: "trim-horizon" }, 3);
      expect(records.map(text)).toEqual(["one", "two", "three"]);
      expect(records.map((record) => record.partitionKey)).toEqual(["key-one", "key-two", "key-three"]);
      const numbers = records.map((record) => BigInt(record.sequenceNumber));
      expect(numbers[0]! < numbers[1]! && numbers[1]! < numbers[2]!).toBe(true);
      for (const record of records) {
        expect(record.data).toBeInstanceOf(Uint8Array);
        expect(record.approximateArrivalTimestamp).toBeInstanceOf(Date);
      }
      expect(last.nextIterator).toBeTypeOf("string");
      expect(last.children).toBeUndefined();
      expect(last.millisBehindLatest).toBe(0);
    });

    it("starts at, after and behind what it is told", async () => {
      const [shard] = await open(1);
      await put(shard!, "one", "two", "three");
      const { records } = await readOn(shard!, { kind: "trim-horizon" }, 3);
      const sequenceNumber = records[1]!.sequenceNumber;
      const from = async (position: Position, enough: number) =>
        (await readOn(shard!, position, enough)).records.map(text);
      expect(await from({ kind: "at-sequence-number", sequenceNumber }, 2)).toEqual(["two", "three"]);
      expect(await from({ kind: "after-sequence-number", sequenceNumber }, 1)).toEqual(["three"]);
      const timestamp = records[0]!.approximateArrivalTimestamp;
      expect(await from({ kind: "at-timestamp", timestamp }, 3)).toEqual(["one", "two", "three"]);
    });

    it("reads only newer records from the latest position", async () => {
      const [shard] = await open(1);
      await put(shard!, "old");
      const iterator = await stream.iterator(shard!.shardId, { kind: "latest" });
      await put(shard!, "new");
      const result = await read(iterator);
      expect(result.records.map(text)).toEqual(["new"]);
    });

    it("reads no more than asked for, and goes on where it stopped", async () => {
      const [shard] = await open(1);
      await put(shard!, "one", "two", "three");
      const first = await read(await stream.iterator(shard!.shardId, { kind: "trim-horizon" }), 2);
      expect(first.records.map(text)).toEqual(["one", "two"]);
      const second = await read(first.nextIterator!, 2);
      expect(second.records.map(text)).toEqual(["three"]);
    });

    it("gives no records, and another iterator, where there is nothing", async () => {
      const [shard] = await open(1);
      const result = await read(await stream.iterator(shard!.shardId, { kind: "trim-horizon" }));
      expect(result).toMatchObject({ records: [], children: undefined, millisBehindLatest: 0 });
      expect(result.nextIterator).toBeTypeOf("string");
    });

    it("gives the same records when an iterator is read again", async () => {
      const [shard] = await open(1);
      await put(shard!, "one", "two");
      const iterator = await stream.iterator(shard!.shardId, { kind: "trim-horizon" });
      const first = await read(iterator);
      const again = await read(iterator);
      expect(again.records.map(text)).toEqual(first.records.map(text));
    });

    it("splits: the parent is closed and readable to its end, the children take over its range", async () => {
      const [parent, other] = await open(2);
      await put(parent!, "before");
      await under.split(parent!);
      const middle = midpoint(parent!.hashRange)!;
      await putAt(parent!.hashRange.start, "after, lower half");
      await putAt(middle, "after, upper half");

      const listed = await stream.listShards();
      expect(listed).toHaveLength(4);
      expect(listed.find((shard) => shard.shardId === parent!.shardId)?.closed).toBe(true);
      expect(listed.find((shard) => shard.shardId === other!.shardId)?.closed).toBe(false);
      const children = await childrenOf(parent!);
      expect(children.map((child) => child.hashRange)).toEqual([
        { start: parent!.hashRange.start, end: middle - 1n },
        { start: middle, end: parent!.hashRange.end },
      ]);
      expect(children.every((child) => !child.closed && child.parentShardIds.length === 1)).toBe(true);

      const { records, last } = await readOn(parent!, { kind: "trim-horizon" });
      expect(records.map(text)).toEqual(["before"]);
      expect(last.nextIterator).toBeUndefined();
      expectChildren(last, children);
      const lower = await readOn(children[0]!, { kind: "trim-horizon" }, 1);
      const upper = await readOn(children[1]!, { kind: "trim-horizon" }, 1);
      expect([...lower.records, ...upper.records].map(text)).toEqual([
        "after, lower half",
        "after, upper half",
      ]);
    });

    it("merges: the child has both parents, and both end with it", async () => {
      const [left, right] = await open(2);
      await put(left!, "left");
      await put(right!, "right");
      await under.merge(left!, right!);
      const child = await shardOf(0n);
      expect(child.parentShardIds.toSorted()).toEqual([left!.shardId, right!.shardId].toSorted());
      expect(holes([child.hashRange])).toEqual([]);
      for (const [parent, record] of [[left!, "left"] as const, [right!, "right"] as const]) {
        const { records, last } = await readOn(parent, { kind: "trim-horizon" });
        expect(records.map(text)).toEqual([record]);
        expectChildren(last, [child]);
      }
    });

    it("a closed shard ends also when read from behind its last record", async () => {
      const [parent] = await open(1);
      await put(parent!, "only");
      const { records } = await readOn(parent!, { kind: "trim-horizon" }, 1);
      await under.split(parent!);
      const { sequenceNumber } = records[0]!;
      const { records: rest, last } = await readOn(parent!, {
        kind: "after-sequence-number",
        sequenceNumber,
      });
      expect(rest).toEqual([]);
      expect(last.nextIterator).toBeUndefined();
    });

    it("the latest position of a closed shard is its end", async () => {
      const [parent] = await open(1);
      await put(parent!, "old");
      await under.split(parent!);
      const children = await childrenOf(parent!);
      const { records, last } = await readOn(parent!, { kind: "latest" });
      expect(records).toEqual([]);
      expectChildren(last, children);
    });

    it("names a closed shard's children also when one of them has been split in turn", async () => {
      const [parent] = await open(1);
      await under.split(parent!);
      const children = await childrenOf(parent!);
      await under.split(children[0]!);
      const { last } = await readOn(parent!, { kind: "trim-horizon" });
      expectChildren(last, children);
    });

    it("refuses a position that is none of the shard's: another's number, a time still to come", async () => {
      const [shard, other] = await open(2);
      await put(shard!, "here");
      await put(other!, "there");
      const { records } = await readOn(other!, { kind: "trim-horizon" }, 1);
      const { sequenceNumber, approximateArrivalTimestamp } = records[0]!;
      const foreign = { kind: "after-sequence-number", sequenceNumber } as const;
      const timestamp = new Date(approximateArrivalTimestamp.getTime() + 3_600_000);
      const problems = [
        await errorFrom(stream.iterator(shard!.shardId, foreign)),
        await errorFrom(stream.iterator(shard!.shardId, { ...foreign, sequenceNumber: "nonsense" })),
        await errorFrom(stream.iterator(shard!.shardId, { kind: "at-timestamp", timestamp })),
      ];
      expect(problems).toEqual([capabilities.foreignNumber, "invalid", "invalid"]);
    });

    it("reads 10,000 records at most, and refuses to be asked for more or none", async () => {
      const [shard] = await open(1);
      const iterator = await stream.iterator(shard!.shardId, { kind: "trim-horizon" });
      expect((await read(iterator, 10_000)).records).toEqual([]);
      expect(await errorFrom(read(iterator, 10_001))).toBe("invalid");
      expect(await errorFrom(read(iterator, 0))).toBe("invalid");
    });

    it("says what is wrong: no such shard, no such iterator", async () => {
      await open(1);
      const unknown = stream.iterator("shardId-000000000099", { kind: "trim-horizon" });
      expect(await errorFrom(unknown)).toBe("not-found");
      expect(await errorFrom(read("nonsense"))).toBe(
        capabilities.refusesNonsense ? "invalid" : "unavailable",
      );
    });

    function expectChildren(last: ReadResult, children: readonly Shard[]): void {
      if (capabilities.namesChildren) {
        expect(inOrder(last.children ?? []).map(comparable)).toEqual(children.map(comparable));
      } else {
        expect(last.children).toBeUndefined();
      }
    }
  });
}

const text = (record: StreamRecord): string => new TextDecoder().decode(record.data);

const inOrder = (shards: readonly Shard[]): readonly Shard[] =>
  shards.toSorted((a, b) => (a.hashRange.start < b.hashRange.start ? -1 : 1));

/** What both a last read and a listing return for a child. */
const comparable = ({ shardId, parentShardIds, hashRange, closed }: Shard): Shard => ({
  ...{ shardId, hashRange, closed },
  parentShardIds: parentShardIds.toSorted(),
});

async function errorFrom(call: Promise<unknown>): Promise<StreamErrorClass | "none"> {
  try {
    await call;
    return "none";
  } catch (error) {
    if (error instanceof StreamError) return error.problem;
    throw error;
  }
}
