import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFleetRow, encodeMember } from "../../../src/adapters/dynamodb/fleet-rows.ts";
import { classifyRow } from "../../../src/adapters/dynamodb/lease-row.ts";
import { MEMBERS_PER_ROW, type Member } from "../../../src/core/member.ts";

const member: fc.Arbitrary<Member> = fc.record({
  workerId: fc.string({ minLength: 1, maxLength: 40 }),
  incarnation: fc.string({ minLength: 1, maxLength: 8 }),
  heartbeat: fc.nat(Number.MAX_SAFE_INTEGER),
  state: fc.constantFrom("joining", "active", "leaving", "dead"),
  maxLeases: fc.option(fc.nat(10_000), { nil: undefined }),
  steals: fc.boolean(),
  failoverTimeMillis: fc.integer({ min: 1_000, max: 3_600_000 }),
});

const young: fc.Arbitrary<Member> = fc
  .tuple(member, fc.nat(99))
  .map(([one, earlyDeaths]) => ({ ...one, earlyDeaths }));

const row = (
  fleetRow: number,
  version: number,
  members: readonly Member[],
): Record<string, AttributeValue> => ({
  leaseKey: { S: `evenkeel-fleet-${fleetRow}` },
  entityType: { S: "LEADER" },
  generation: { N: String(version) },
  shardSyncRequests: { N: "3" },
  members: { M: Object.fromEntries(members.map((one) => [one.workerId, encodeMember(one)])) },
  leaseOwner: { S: "fleet" },
  leaseCounter: { N: "9999999999" },
  checkpoint: { S: "SHARD_END" },
  ownerSwitchesSinceCheckpoint: { N: "0" },
});

/**
 * DynamoDB's item size: names and strings in UTF-8, a number about one byte per two digits and one more, 3
 * bytes per map and 1 per entry.
 */
function sizeOf(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.N !== undefined) return Math.ceil(value.N.replace(/\D/g, "").length / 2) + 1;
  if (value.BOOL !== undefined) return 1;
  if (value.M === undefined) throw new Error(`no size for ${JSON.stringify(value)}`);
  return Object.entries(value.M).reduce(
    (sum, [name, one]) => sum + 1 + Buffer.byteLength(name) + sizeOf(one),
    3,
  );
}

const itemSize = (item: Record<string, AttributeValue>): number =>
  Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOf(value), 0);

describe("a fleet page", () => {
  it("comes back as it was written, its members in the order of their ids", () => {
    const members = fc.uniqueArray(fc.oneof(member, young), {
      selector: (one) => one.workerId,
      maxLength: MEMBERS_PER_ROW,
    });
    fc.assert(
      fc.property(members, fc.nat(99), fc.nat(), (some, fleetRow, version) => {
        expect(decodeFleetRow(row(fleetRow, version, some))).toEqual({
          number: fleetRow,
          version,
          shardSyncRequests: 3,
          members: some.toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1)),
        });
      }),
    );
  });

  it.each([
    ["old", { heartbeat: 9_999_999_999 }],
    ["young, after deaths", { heartbeat: 9_999, earlyDeaths: 99 }],
  ])(
    "with twelve members of 40-character ids, all %s, stays below 1 KB: a heartbeat is one write unit",
    (_, age) => {
      const members = Array.from({ length: MEMBERS_PER_ROW }, (_, index) => ({
        workerId: String(index).padStart(40, "w"),
        incarnation: "0123abcd",
        state: "active" as const,
        maxLeases: 9_999,
        steals: true,
        failoverTimeMillis: 10_000,
        ...age,
      }));
      expect(itemSize(row(0, 9_999_999_999, members))).toBeLessThan(1_024);
    },
  );

  it("that an outsider's wake-up made has no members, and is no lease", () => {
    const woken = {
      leaseKey: { S: "evenkeel-fleet-0" },
      generation: { N: "1" },
      shardSyncRequests: { N: "1" },
    };
    expect(classifyRow(woken)).toEqual({ kind: "fleet" });
    expect(decodeFleetRow(woken)).toEqual({ number: 0, version: 1, shardSyncRequests: 1, members: [] });
  });

  it("with an entry that cannot be read says whose and why, and keeps the others", () => {
    const broken = row(0, 1, []);
    const readable = { M: { i: { S: "first" }, h: { N: "3" }, s: { S: "a" } } };
    broken.members = { M: { "worker-a": { M: { s: { S: "x" } } }, "worker-b": readable } };
    const fleetRow = decodeFleetRow(broken);
    expect(fleetRow.members.map(({ workerId }) => workerId)).toEqual(["worker-b"]);
    expect(fleetRow.unreadable).toEqual(['member worker-a: s is "x", expected j, a, l or d']);
  });
});
