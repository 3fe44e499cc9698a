/** Rows with any content: a lease table is edited by hand, and shared with other programs. */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type Item, RowError } from "../../src/adapters/dynamodb/attributes.ts";
import { decodeFleetRow } from "../../src/adapters/dynamodb/fleet-rows.ts";
import { classifyRow, decodeLease, encodeLease } from "../../src/adapters/dynamodb/lease-row.ts";
import { FLEET_ATTRIBUTES, fleetRowKey } from "../../src/adapters/dynamodb/own-rows.ts";
import { RUNS, TIMEOUT_MILLIS } from "./runs.ts";

vi.setConfig({ testTimeout: TIMEOUT_MILLIS });

/** DynamoDB limits a row to 400 KB. */
const LONGEST = 400_000;
/** A message is one log line: the attribute, a part of its value, what was expected. */
const LONGEST_MESSAGE = 700;

const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom(
    "",
    "\n",
    "__proto__",
    "constructor",
    "0",
    "-1",
    "1e309",
    "0x10",
    " 7",
    "NaN",
    "1".repeat(LONGEST),
  ),
  fc.constantFrom("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "SHARD_END", "trim_horizon", "SHARD_END "),
  fc.bigInt({ min: -1n, max: 1n << 130n }).map(String),
);
/** Every type that DynamoDB has, and one that it may get. */
const { value: attribute } = fc.letrec<{ value: AttributeValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    text.map((S) => ({ S })),
    text.map((N) => ({ N })),
    fc.uint8Array({ maxLength: 20 }).map((B) => ({ B })),
    fc.array(text, { maxLength: 4 }).map((SS) => ({ SS })),
    fc.array(text, { maxLength: 4 }).map((NS) => ({ NS })),
    fc.boolean().map((BOOL) => ({ BOOL })),
    fc.constant({ NULL: true as const }),
    fc.constant({ $unknown: ["Z", 1] as [string, number] }),
    fc.array(tie("value"), { maxLength: 3 }).map((L) => ({ L })),
    fc.dictionary(text, tie("value"), { maxKeys: 4 }).map((M) => ({ M })),
  ),
}));

/** Rows with any attributes, most of them attributes that are read. */
function rows(names: readonly string[], keys: fc.Arbitrary<string>): fc.Arbitrary<Item> {
  return fc
    .tuple(
      fc.oneof({ weight: 9, arbitrary: keys.map((S): AttributeValue => ({ S })) }, attribute),
      fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, text), attribute, {
        maxKeys: 14,
      }),
    )
    .map(([leaseKey, rest]) => ({ ...rest, leaseKey }));
}

const sound = encodeLease({
  ...{ leaseKey: "shardId-000000000000", owner: "w", counter: 7, ownerSwitchesSinceCheckpoint: 1 },
  ...{
    checkpoint: {
      sequenceNumber: "49590338271490256608559692538361571095921575989136588898",
      subSequenceNumber: 3,
    },
  },
  ...{ parentShardIds: ["a"], childShardIds: ["b"], hashRange: { start: 0n, end: 9n } },
  ...{ checkpointOwner: "v", startMillis: 5 },
});
const leaseRows = rows(
  [...Object.keys(sound), "entityType", "streamName", "pendingCheckpoint"],
  fc.oneof(text, fc.constantFrom("shardId-000000000000", "123:name:456:shardId-000000000000")),
);
/** A readable row with one wrong attribute. */
const nearlySound = fc
  .tuple(fc.constantFrom(...Object.keys(sound)), fc.option(attribute, { nil: undefined }))
  .map(([name, value]) => {
    const { [name]: _, ...rest } = sound;
    return value === undefined ? rest : { ...rest, [name]: value };
  });

/** Returns the result of `read`, or undefined after an error that says in one line what is wrong. */
function readOrError<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    expect(error.message.length).toBeLessThan(LONGEST_MESSAGE);
    expect(error.message).toMatch(/^.+$/);
    return undefined;
  }
}

describe("any row", () => {
  it("is a lease, a fleet row, another program's, or corrupt with one line that says why", () => {
    fc.assert(
      fc.property(fc.oneof(leaseRows, nearlySound), (item) => {
        const found = classifyRow(item);
        if (found.kind === "corrupt") {
          expect(found.problem.length).toBeLessThan(LONGEST_MESSAGE);
          expect(found.problem).toMatch(/^.+$/);
        }
      }),
      { numRuns: RUNS * 10 },
    );
  });

  it("that is read as a lease is one: written and read again it is the same", () => {
    fc.assert(
      fc.property(fc.oneof(leaseRows, nearlySound), (item) => {
        const lease = readOrError(() => decodeLease(item));
        if (lease !== undefined) expect(decodeLease(encodeLease(lease))).toEqual(lease);
      }),
      { numRuns: RUNS * 10 },
    );
  });

  it("that is read as a fleet row has its own key, and members of distinct names", () => {
    const entry = fc
      .dictionary(fc.constantFrom("i", "h", "s", "m", "t", "f", "x"), attribute)
      .map((M) => ({ M }));
    const soundEntry = fc.record({
      M: fc.record({
        i: fc.constant({ S: "first" }),
        h: fc.nat().map((n) => ({ N: String(n) })),
        s: fc.constantFrom("j", "a", "l", "d").map((S) => ({ S })),
      }),
    });
    const members = fc
      .dictionary(text, fc.oneof({ weight: 5, arbitrary: soundEntry }, entry, attribute), { maxKeys: 13 })
      .map((M) => ({ M }));
    const keys = fc.oneof(
      text,
      fc.oneof(fc.nat(20), fc.nat()).map((fleetRow) => fleetRowKey(fleetRow)),
      fc.constantFrom("evenkeel-fleet-007", "evenkeel-fleet-1e3", `evenkeel-fleet-${"9".repeat(400)}`),
    );
    const fleetRows = fc
      .tuple(
        rows([...Object.values(FLEET_ATTRIBUTES), "entityType"], keys),
        fc.option(members, { nil: undefined }),
      )
      .map(
        ([row, given]): Item => (given === undefined ? row : { ...row, [FLEET_ATTRIBUTES.members]: given }),
      );
    fc.assert(
      fc.property(fleetRows, (item) => {
        const fleetRow = readOrError(() => decodeFleetRow(item));
        if (fleetRow === undefined) return;
        expect(fleetRowKey(fleetRow.number)).toBe(item.leaseKey?.S);
        expect(new Set(fleetRow.members.map((member) => member.workerId)).size).toBe(fleetRow.members.length);
        for (const line of fleetRow.unreadable ?? []) {
          expect(line.length).toBeLessThan(LONGEST_MESSAGE);
          expect(line).toMatch(/^.+$/);
        }
      }),
      { numRuns: RUNS * 10 },
    );
  });

  it("of 400 KB is read in a moment", () => {
    const digits = "9".repeat(LONGEST);
    for (const name of ["checkpoint", "startingHashKey", "endingHashKey", "leaseOwner"])
      classifyRow({ ...sound, [name]: { S: digits } });
    const manyMembers = Object.fromEntries(
      Array.from({ length: 12_000 }, (_, i) => [
        `worker-${i}`,
        { M: { i: { S: "x" }, h: { N: "1" }, s: { S: "a" } } },
      ]),
    );
    expect(
      decodeFleetRow({ leaseKey: { S: fleetRowKey(0) }, members: { M: manyMembers } }).members,
    ).toHaveLength(12_000);
  });
});
