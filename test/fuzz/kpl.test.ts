/** Records that look like KPL aggregates: their bytes are whatever a producer sent. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { deaggregate } from "../../src/core/deaggregate.ts";
import type { ConsumerRecord } from "../../src/core/record.ts";
import { delimited, MAGIC, protobuf, sealed, varint } from "../unit/reader/aggregate.ts";
import { RUNS, TIMEOUT_MILLIS } from "./runs.ts";

vi.setConfig({ testTimeout: TIMEOUT_MILLIS });

const record = (data: Uint8Array, n = 1): ConsumerRecord => ({
  ...{ data, partitionKey: "outer", sequenceNumber: String(n), subSequenceNumber: 0 },
  approximateArrivalTimestamp: new Date(0),
});

/**
 * The smallest user record: field and length, and a key's index in it. Its data may be empty, but must be
 * present.
 */
const MIN_BYTES = 6;

/**
 * Every record is returned: itself, or its user records in order, as views of its bytes and no more than fit.
 */
function expectDelivered(given: readonly ConsumerRecord[]): void {
  const found = deaggregate(given);
  const bySequence = new Map<string, ConsumerRecord[]>();
  for (const one of found)
    bySequence.set(one.sequenceNumber, [...(bySequence.get(one.sequenceNumber) ?? []), one]);
  expect([...bySequence.keys()]).toEqual(given.map((one) => one.sequenceNumber));
  for (const one of given) {
    const users = bySequence.get(one.sequenceNumber) ?? [];
    if (users.length === 1 && users[0] === one) continue;
    expect(users.map((user) => user.subSequenceNumber)).toEqual([...users.keys()]);
    expect(users.length).toBeLessThanOrEqual(one.data.length / MIN_BYTES);
    for (const user of users) expect(user.data.buffer).toBe(one.data.buffer);
  }
}

const bytes = fc.uint8Array({ maxLength: 300 });
const numbers = fc.oneof(
  fc.nat(40),
  fc.nat(),
  fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 56, 2 ** 63),
);
/** Fields in protobuf's format, with lengths and indexes that may be false. */
const field = fc.oneof(
  fc.tuple(fc.nat(5), bytes).map(([number, body]) => delimited(number, body)),
  fc
    .tuple(fc.nat(5), numbers, bytes)
    .map(([number, length, body]) => [...varint(number * 8 + 2), ...varint(length), ...body]),
  fc.tuple(fc.nat(5), numbers).map(([number, value]) => [...varint(number * 8), ...varint(value)]),
  fc
    .tuple(fc.nat(5), fc.nat(7), bytes)
    .map(([number, wireType, body]) => [...varint(number * 8 + wireType), ...body]),
  fc.constantFrom(1, 2, 3).map((number) => delimited(number, delimited(number, []))),
  fc.constant(Array.from({ length: 12 }, () => 0xff)),
);
const user = fc.record(
  {
    partitionKey: fc.string({ maxLength: 5 }),
    explicitHashKey: fc.bigInt({ min: 0n, max: 1n << 128n }).map(String),
    data: bytes,
  },
  { requiredKeys: ["partitionKey", "data"] },
);

describe("whatever follows the magic bytes is delivered", () => {
  it("garbage, with and without a sum that is right", () => {
    const garbage = fc.oneof(
      bytes.map((rest) => Uint8Array.from([...MAGIC, ...rest])),
      bytes.map((rest) => sealed([...rest])),
      fc.array(field, { maxLength: 8 }).map((fields) => sealed(fields.flat())),
    );
    fc.assert(
      fc.property(fc.array(garbage, { minLength: 1, maxLength: 4 }), (given) => {
        expectDelivered(given.map((data, i) => record(data, i)));
      }),
      { numRuns: RUNS * 10 },
    );
  });

  it("aggregates that were cut, changed, or got fields added, and then got their sum", () => {
    const damage = fc.record({ at: fc.nat(), value: fc.nat(255), cut: fc.nat(), extra: fc.option(field) });
    fc.assert(
      fc.property(fc.array(user, { maxLength: 12 }), damage, (users, { at, value, cut, extra }) => {
        const whole = protobuf(users);
        const changed = whole.map((byte, i) => (i === at % Math.max(1, whole.length) ? value : byte));
        const shortened = changed.slice(0, whole.length - (cut % (whole.length + 1)));
        for (const body of [changed, shortened, [...shortened, ...(extra ?? [])]])
          expectDelivered([record(sealed(body))]);
      }),
      { numRuns: RUNS * 5 },
    );
  });

  it("a mebibyte of the smallest user records is that many records, and copies no byte", () => {
    const smallest = delimited(3, [...varint(8), 0, ...delimited(3, [])]);
    expect(smallest).toHaveLength(MIN_BYTES);
    const count = Math.floor((1024 * 1024 - 100) / MIN_BYTES);
    const body = [...delimited(1, [0x6b]), ...Array.from({ length: count }, () => smallest).flat()];
    const found = deaggregate([record(sealed(body))]);
    expect(found).toHaveLength(count);
    expect(found.at(-1)).toMatchObject({ partitionKey: "k", subSequenceNumber: count - 1 });
    expect(new Set(found.map((one) => one.data.buffer)).size).toBe(1);
  });
});
