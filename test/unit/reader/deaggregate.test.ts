import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deaggregate } from "../../../src/core/deaggregate.ts";
import { aggregate, delimited, MAGIC, protobuf, sealed, varint } from "./aggregate.ts";
import { checkpointAt, indexOf, shardWorld } from "./shard-world.ts";
import { withoutMd5 } from "./without-md5.ts";

const arrival = new Date(0);
const raw = (data: Uint8Array, n = 1) => ({
  data,
  partitionKey: "outer",
  sequenceNumber: checkpointAt(n).sequenceNumber,
  subSequenceNumber: 0,
  approximateArrivalTimestamp: arrival,
});
const bytes = (text: string) => new TextEncoder().encode(text);
const passedThrough = (data: Uint8Array) => [raw(data)];

const userRecord = fc.record(
  {
    partitionKey: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
    explicitHashKey: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(String),
    data: fc.uint8Array({ maxLength: 300 }),
    tags: fc.nat(2),
  },
  { requiredKeys: ["partitionKey", "data", "tags"] },
);

describe("KPL de-aggregation", () => {
  it("gives back exactly the user records that were aggregated, numbered in order", () => {
    fc.assert(
      fc.property(fc.array(userRecord, { minLength: 1, maxLength: 30 }), (users) => {
        const expected = users.map(({ partitionKey, explicitHashKey, data }, subSequenceNumber) => ({
          data,
          partitionKey,
          ...(explicitHashKey === undefined ? {} : { explicitHashKey }),
          sequenceNumber: checkpointAt(1).sequenceNumber,
          subSequenceNumber,
          approximateArrivalTimestamp: arrival,
        }));
        expect(deaggregate([raw(aggregate(users))])).toEqual(expected);
      }),
    );
  });

  it("keeps the order of plain records and aggregates that follow each other", () => {
    const users = ["a", "b"].map((key) => ({ partitionKey: key, data: bytes(key) }));
    const found = deaggregate([raw(bytes("plain"), 1), raw(aggregate(users), 2), raw(new Uint8Array(), 3)]);
    expect(found.map((record) => [indexOf(record), record.subSequenceNumber, record.partitionKey])).toEqual([
      [1, 0, "outer"],
      [2, 0, "a"],
      [2, 1, "b"],
      [3, 0, "outer"],
    ]);
  });

  it("never throws and never drops: whatever bytes follow the magic, something is delivered", () => {
    const valid = aggregate(
      [1, 2, 3].map((n) => ({ partitionKey: `k${n}`, explicitHashKey: `${n}`, data: bytes("xyz") })),
    );
    const damage = fc.record({ at: fc.nat(valid.length - 1), value: fc.nat(255), cut: fc.nat(valid.length) });
    fc.assert(
      fc.property(damage, ({ at, value, cut }) => {
        const changed = Uint8Array.from(valid);
        changed[at] = value;
        for (const data of [changed, valid.subarray(0, cut)]) {
          const same = Buffer.from(data).equals(valid);
          expect(deaggregate([raw(data)])).toEqual(same ? deaggregate([raw(valid)]) : passedThrough(data));
        }
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        expect(deaggregate([raw(sealed([...body]))]).length).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["without any user record", sealed(delimited(1, bytes("key")))],
    [
      "with a partition key index beyond its table",
      sealed(delimited(3, [...varint(8), 0, ...delimited(3, [1])])),
    ],
    [
      "with a hash key index beyond its table",
      sealed([...delimited(1, bytes("k")), ...delimited(3, [8, 0, 16, 5, ...delimited(3, [1])])]),
    ],
    ["with a record without data", sealed([...delimited(1, bytes("k")), ...delimited(3, [8, 0])])],
    [
      "with a record without a partition key",
      sealed([...delimited(1, bytes("k")), ...delimited(3, delimited(3, [1]))]),
    ],
    [
      "with a key that is not UTF-8",
      sealed([...delimited(1, [0xff]), ...delimited(3, [8, 0, ...delimited(3, [1])])]),
    ],
    ["with a length beyond its end", sealed([...varint(1 * 8 + 2), ...varint(1_000), 1])],
    ["with an endless varint", sealed(Array(30).fill(0xff))],
    [
      "with an unknown wire type",
      sealed([...protobuf([{ partitionKey: "k", data: bytes("d") }]), 9 * 8 + 3]),
    ],
    ["with field number 0", sealed([...protobuf([{ partitionKey: "k", data: bytes("d") }]), 0, 0])],
    ["that is the magic alone", Uint8Array.from(MAGIC)],
    [
      "with a wrong digest",
      aggregate([{ partitionKey: "k", data: bytes("d") }]).map((byte, at, all) =>
        at === all.length - 1 ? byte ^ 1 : byte,
      ),
    ],
  ])("passes an aggregate %s through as a plain record", (_, data) => {
    expect(deaggregate([raw(data)])).toEqual(passedThrough(data));
  });

  it("skips fields it does not know, of every wire type", () => {
    const unknown = [
      ...varint(9 * 8),
      1,
      ...varint(9 * 8 + 1),
      ...Array(8).fill(0),
      ...varint(9 * 8 + 5),
      1,
      2,
      3,
      4,
    ];
    const body = [...unknown, ...protobuf([{ partitionKey: "k", data: bytes("d") }]), ...unknown];
    expect(deaggregate([raw(sealed(body))]).map((record) => record.partitionKey)).toEqual(["k"]);
  });

  it("a reader resumes in the middle of an aggregate, behind the checkpoint's sub-sequence number", async () => {
    const users = [0, 1, 2, 3, 4].map((n) => ({ partitionKey: `k${n}`, data: bytes(`${n}`) }));
    const world = shardWorld({
      checkpoint: checkpointAt(2, 1),
      prepare: (stream) => {
        stream.put(1);
        stream.putData(aggregate(users));
        stream.put(1);
      },
    });
    await world.clock.advance(1_000);
    expect(world.delivered.map((record) => [indexOf(record), record.subSequenceNumber])).toEqual([
      [2, 2],
      [2, 3],
      [2, 4],
      [3, 0],
    ]);
  });

  it("a handler may checkpoint in the middle of an aggregate", async () => {
    const users = [0, 1, 2].map((n) => ({ partitionKey: `k${n}`, data: bytes(`${n}`) }));
    const world = shardWorld({
      options: { checkpointMode: "manual", checkpointIntervalMillis: 0 },
      prepare: (stream) => stream.putData(aggregate(users)),
      handler: async ({ records, checkpoint }) => checkpoint(records[1]),
    });
    await world.clock.advance(1_000);
    expect(world.lease.writes.map((write) => write.checkpoint)).toEqual([checkpointAt(1, 1)]);
  });
});

describe("KPL records where Node has no MD5 (FIPS mode)", () => {
  const users = ["a", "b"].map((key) => ({ partitionKey: key, data: bytes(key) }));
  const valid = aggregate(users);

  it("what is an aggregate to the letter is one; anything else that begins with the magic is passed on", () =>
    withoutMd5(() => {
      expect(deaggregate([raw(valid)]).map((record) => record.partitionKey)).toEqual(["a", "b"]);
      const plain = Uint8Array.from([...MAGIC, ...new Array(40).fill(7)]);
      expect(deaggregate([raw(plain)])).toEqual(passedThrough(plain));
    }));

  it("no bytes after the magic throw, and none are dropped", () =>
    withoutMd5(() => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
          expect(deaggregate([raw(Uint8Array.from([...MAGIC, ...body]))]).length).toBeGreaterThanOrEqual(1);
        }),
        { numRuns: 500 },
      );
    }));

  it.each([
    ["an aggregate", valid, 8],
    ["a plain record that begins with the magic", Uint8Array.from([...MAGIC, ...new Array(40).fill(7)]), 7],
  ])("%s does not stop its shard", (_, data, records) =>
    withoutMd5(async () => {
      const world = shardWorld({
        prepare: (stream) => {
          stream.put(3);
          stream.putData(data);
          stream.put(3);
        },
      });
      await world.clock.advance(5_000);
      expect(world.delivered).toHaveLength(records);
      expect(world.consumer.status().state).toBe("reading");
    }),
  );
});
