import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kclAttributes } from "../../../src/adapters/dynamodb/kcl-attributes.ts";
import { classifyRow, decodeLease, encodeLease } from "../../../src/adapters/dynamodb/lease-row.ts";
import { MAX_HASH_KEY } from "../../../src/core/hash-range.ts";
import { actualOwner, isEnded, type Lease } from "../../../src/core/lease.ts";
import * as java from "./java-rows.ts";

const name = fc.string({ minLength: 1, maxLength: 40 });
const shardIds = fc
  .uniqueArray(fc.nat(9_999), { maxLength: 3 })
  .map((numbers) => numbers.map((number) => `shardId-${String(number).padStart(12, "0")}`).toSorted());
const hashRange = fc
  .tuple(fc.bigInt(0n, MAX_HASH_KEY), fc.bigInt(0n, MAX_HASH_KEY))
  .map(([a, b]) => (a < b ? { start: a, end: b } : { start: b, end: a }));
const count = fc.nat(Number.MAX_SAFE_INTEGER);
const sequenceNumber = fc.oneof(
  fc.constantFrom("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "SHARD_END"),
  fc.bigInt(0n, 10n ** 56n).map(String),
);
const lease: fc.Arbitrary<Lease> = fc.record({
  leaseKey: fc.nat().map((number) => `shardId-${String(number).padStart(12, "0")}`),
  owner: fc.option(name, { nil: undefined }),
  counter: count,
  checkpoint: fc.record({ sequenceNumber, subSequenceNumber: count }),
  ownerSwitchesSinceCheckpoint: count,
  parentShardIds: shardIds,
  childShardIds: shardIds,
  hashRange: fc.option(hashRange, { nil: undefined }),
  checkpointOwner: fc.option(name, { nil: undefined }),
  startMillis: fc.option(count, { nil: undefined }),
});

describe("the lease row", () => {
  it("comes back as it was written", () => {
    fc.assert(
      fc.property(lease, (one) => {
        expect(decodeLease(encodeLease(one))).toEqual(one);
      }),
    );
  });

  it("has KCL's names and types, and nothing empty", () => {
    const row = encodeLease({
      leaseKey: "shardId-000000000001",
      owner: undefined,
      counter: 0,
      checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
      ownerSwitchesSinceCheckpoint: 0,
      parentShardIds: ["shardId-000000000000"],
      childShardIds: [],
      hashRange: { start: 0n, end: MAX_HASH_KEY },
      checkpointOwner: undefined,
    });
    expect(row).toEqual({
      leaseKey: { S: "shardId-000000000001" },
      entityType: { S: "LEASE" },
      leaseCounter: { N: "0" },
      checkpoint: { S: "TRIM_HORIZON" },
      checkpointSubSequenceNumber: { N: "0" },
      ownerSwitchesSinceCheckpoint: { N: "0" },
      parentShardId: { SS: ["shardId-000000000000"] },
      startingHashKey: { S: "0" },
      endingHashKey: { S: "340282366920938463463374607431768211455" },
    });
  });

  it("never writes an empty string or set", () => {
    fc.assert(
      fc.property(lease, (one) => {
        for (const value of Object.values(encodeLease(one))) {
          expect(value.S === "" || value.SS?.length === 0).toBe(false);
        }
      }),
    );
  });
});

describe("rows of a Java fleet", () => {
  const read = (row: java.Row): Lease => {
    const found = classifyRow(row);
    if (found.kind !== "lease") throw new Error(JSON.stringify(found));
    return found.lease;
  };

  it("of KCL 2.x are read", () => {
    expect(read(java.java2Running)).toEqual({
      leaseKey: "shardId-000000000001",
      owner: "ip-10-0-0-1:5b1c8f0e-2c3b-4f67-9f4e-0a2b8a0b1c2d",
      counter: 4711,
      checkpoint: {
        sequenceNumber: "49590338271490256608559692538361571095921575989136588898",
        subSequenceNumber: 7,
      },
      ownerSwitchesSinceCheckpoint: 2,
      parentShardIds: [],
      childShardIds: [],
      hashRange: { start: 1n << 127n, end: MAX_HASH_KEY },
      checkpointOwner: undefined,
    });
    expect(read(java.java2MergeChild)).toMatchObject({
      owner: undefined,
      parentShardIds: ["shardId-000000000002", "shardId-000000000003"],
      checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
    });
  });

  it("of KCL 1.x are read without a hash range", () => {
    expect(read(java.java1)).toMatchObject({ counter: 12, hashRange: undefined });
  });

  it("of KCL 3.x are read, also while an old owner hands over", () => {
    expect(read(java.java3Ended).childShardIds).toEqual(["shardId-000000000004"]);
    const lease = read(java.java3HandOver);
    expect(lease).toMatchObject({ owner: "worker-b", checkpointOwner: "worker-a" });
    expect(actualOwner(lease)).toBe("worker-a");
  });

  it("of KCL 3.5 are read, whatever type a prepared checkpoint's state has", () => {
    expect(read(java.java35Prepared)).toMatchObject({ counter: 4711, checkpoint: { subSequenceNumber: 7 } });
    const state = { B: Uint8Array.of(1) };
    expect(read({ ...java.java35Prepared, pendingCheckpointState: state }).counter).toBe(4711);
  });

  it("that are not leases are left out", () => {
    for (const row of java.java35Foreign) expect(classifyRow(row)).toEqual({ kind: "foreign" });
  });

  it("of multi-stream mode are named, not taken for shards of our stream", () => {
    expect(classifyRow(java.java3MultiStream)).toEqual({
      kind: "corrupt",
      leaseKey: "111122223333:orders:1700000000:shardId-000000000001",
      problem: expect.stringContaining("multi-stream"),
    });
  });
});

describe("a row of ours", () => {
  it("is told by its key, though it passes for a lease or for a row of KCL's", () => {
    const { entityType: _, ...asOlderJavaSeesIt } = kclAttributes();
    for (const attributes of [kclAttributes(), asOlderJavaSeesIt, {}]) {
      expect(classifyRow({ leaseKey: { S: "evenkeel-fleet-0" }, ...attributes }).kind).toBe("fleet");
      expect(classifyRow({ leaseKey: { S: "evenkeel-application" }, ...attributes }).kind).toBe("foreign");
    }
  });

  it("is a finished lease without an owner to a Java KCL that knows no entity types", () => {
    const seen = decodeLease({ leaseKey: { S: "evenkeel-application" }, ...kclAttributes() });
    expect(seen).toMatchObject({ owner: undefined, counter: 0, ownerSwitchesSinceCheckpoint: 0 });
    expect(isEnded(seen)).toBe(true);
  });
});

describe("a row that cannot be read is named with what is wrong", () => {
  const good: java.Row = java.java2Running;
  const without = (name: string): java.Row => {
    const { [name]: _gone, ...rest } = good;
    return rest;
  };
  it.each<[string, java.Row, string]>([
    ["no counter", without("leaseCounter"), "leaseCounter is missing"],
    ["no checkpoint", without("checkpoint"), "checkpoint is missing"],
    ["a counter as text", { ...good, leaseCounter: { S: "5" } }, "leaseCounter is of type S, expected N"],
    [
      "half a counter",
      { ...good, leaseCounter: { N: "1.5" } },
      "leaseCounter is 1.5, expected a whole number",
    ],
    ["an odd checkpoint", { ...good, checkpoint: { S: "soon" } }, 'checkpoint is "soon", expected a decimal'],
    ["an empty owner", { ...good, leaseOwner: { S: "" } }, "leaseOwner is an empty string"],
    ["a parent as text", { ...good, parentShardId: { S: "x" } }, "parentShardId is of type S, expected SS"],
    ["half a hash range", without("endingHashKey"), "endingHashKey is missing"],
    ["a range upside down", { ...good, endingHashKey: { S: "1" } }, "is after endingHashKey 1"],
    ["a hash key too big", { ...good, endingHashKey: { S: `${MAX_HASH_KEY + 1n}` } }, "from 0 to 2^128 - 1"],
  ])("%s", (_title, row, problem) => {
    expect(classifyRow(row)).toEqual({
      kind: "corrupt",
      leaseKey: "shardId-000000000001",
      problem: expect.stringContaining(problem),
    });
  });
});
