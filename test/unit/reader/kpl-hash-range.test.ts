/** `kplHashRange`: what happens to user records of an aggregate that belong to another shard. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HashRange, MAX_HASH_KEY } from "../../../src/core/hash-range.ts";
import { hashKeyOf, isOutside } from "../../../src/core/kpl-hash-range.ts";
import { aggregate } from "./aggregate.ts";
import { checkpointAt, indexOf, type ShardWorld, shardWorld } from "./shard-world.ts";
import { withoutMd5 } from "./without-md5.ts";

const LOWER = { start: 0n, end: MAX_HASH_KEY / 2n };
const UPPER = { start: MAX_HASH_KEY / 2n + 1n, end: MAX_HASH_KEY };
const text = (value: string) => new TextEncoder().encode(value);
const KEYS = Array.from({ length: 40 }, (_, n) => `key-${n}`);
const users = KEYS.map((partitionKey) => ({ partitionKey, data: text(partitionKey) }));
const isLower = (key: string) => BigInt(`0x${createHash("md5").update(key).digest("hex")}`) <= LOWER.end;

describe("the hash key of a KPL user record", () => {
  it("is its explicit one, else the MD5 of its partition key in UTF-8", () => {
    expect(hashKeyOf({ partitionKey: "a" })).toBe(0x0cc175b9c0f1b6a831c399e269772661n);
    expect(hashKeyOf({ partitionKey: "ä€" })).toBe(
      BigInt(`0x${createHash("md5").update("ä€").digest("hex")}`),
    );
    expect(hashKeyOf({ partitionKey: "a", explicitHashKey: "0" })).toBe(0n);
    expect(hashKeyOf({ partitionKey: "a", explicitHashKey: String(MAX_HASH_KEY) })).toBe(MAX_HASH_KEY);
  });

  it("is in exactly one of two halves, both ends included", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: MAX_HASH_KEY }).map(String), (explicitHashKey) => {
        const record = { partitionKey: "k", explicitHashKey };
        expect(isOutside(record, LOWER)).toBe(!isOutside(record, UPPER));
      }),
    );
    for (const end of [LOWER.start, LOWER.end])
      expect(isOutside({ partitionKey: "k", explicitHashKey: String(end) }, LOWER)).toBe(false);
  });

  it.each(["", "-1", "1e3", "0x10", "a", "9".repeat(60)])(
    "%j is none: such a record is kept",
    (explicitHashKey) => {
      expect(isOutside({ partitionKey: "k", explicitHashKey }, { start: 5n, end: 5n })).toBe(false);
    },
  );

  it("cannot be told without MD5: such a record is kept", () =>
    withoutMd5(() => {
      expect(isOutside({ partitionKey: "k" }, { start: 5n, end: 5n })).toBe(false);
      expect(isOutside({ partitionKey: "k", explicitHashKey: "6" }, { start: 5n, end: 5n })).toBe(true);
    }));
});

describe("a shard that is sent KPL records of another shard", () => {
  const read = async (kplHashRange: "keep" | "drop", hashRange: HashRange | "none" = LOWER) => {
    const world = shardWorld({
      options: { kplHashRange },
      prepare: (stream, lease) => {
        lease.hashRange = hashRange === "none" ? undefined : hashRange;
        stream.put(1);
        stream.putData(aggregate(users));
        stream.put(1);
        stream.putData(aggregate(users));
      },
    });
    await world.clock.advance(6_000);
    return world;
  };
  const keys = (world: ShardWorld) =>
    world.delivered.filter((record) => indexOf(record) === 2).map((record) => record.partitionKey);
  const dropped = (world: ShardWorld) =>
    world.metrics
      .filter(({ name }) => name === "KplRecordsDropped")
      .reduce((sum, { value }) => sum + value, 0);

  it("keeps them all by default", async () => {
    const world = await read("keep");
    expect(keys(world)).toEqual(KEYS);
    expect(world.delivered).toHaveLength(82);
    expect([dropped(world), world.logs]).toEqual([0, []]);
  });

  it('with "drop": drops each that is outside the lease\'s hash range, keeps its neighbours with their numbers, counts, says it once', async () => {
    const world = await read("drop");
    const own = KEYS.filter(isLower);
    expect(keys(world)).toEqual(own);
    expect(own.length).toBeGreaterThan(5);
    expect(own.length).toBeLessThan(35);
    const numbers = world.delivered
      .filter((record) => indexOf(record) === 2)
      .map((one) => one.subSequenceNumber);
    expect(numbers).toEqual(own.map((key) => KEYS.indexOf(key)));
    // Plain records never belong to another shard.
    expect(
      world.delivered.filter((record) => record.partitionKey === "key-1" && record.data.length === 100),
    ).toHaveLength(1);
    expect(dropped(world)).toBe(2 * (KEYS.length - own.length));
    expect(world.logs.map(({ level }) => level)).toEqual(["warn"]);
  });

  it("loses none between two shards that are sent the same aggregate", async () => {
    const [lower, upper] = [await read("drop", LOWER), await read("drop", UPPER)];
    expect([...keys(lower), ...keys(upper)].sort()).toEqual([...KEYS].sort());
  });

  it("keeps them all, and says so, where the lease row has no hash range", async () => {
    const world = await read("drop", "none");
    expect(keys(world)).toEqual(KEYS);
    expect(world.logs.map(({ message }) => message)[0]).toContain("no hash range");
  });

  it("an aggregate that is another shard's as a whole holds nothing up", async () => {
    const foreign = KEYS.filter((key) => !isLower(key)).map((key) => ({
      partitionKey: key,
      data: text(key),
    }));
    const world = shardWorld({
      options: { kplHashRange: "drop" },
      prepare: (stream, lease) => {
        lease.hashRange = LOWER;
        stream.putData(aggregate(foreign));
        stream.put(2);
        stream.closed = true;
      },
    });
    await world.clock.advance(2_000);
    expect(world.indexes()).toEqual([2, 3]);
    expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(3) });
  });
});
