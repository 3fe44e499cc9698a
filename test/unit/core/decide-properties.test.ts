import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Lease } from "../../../src/core/lease.ts";
import type { Member } from "../../../src/core/member.ts";
import { decideFor, ownedBy, round } from "./decide-round.ts";
import { member, row } from "./rows.ts";

describe("from any state of the rows", () => {
  const scenes = fc
    .record({
      states: fc.array(fc.constantFrom<Member["state"]>("active", "active", "joining", "leaving", "dead"), {
        minLength: 1,
        maxLength: 5,
      }),
      owners: fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 25 }),
    })
    .map(({ states, owners }) => ({
      members: [member("w9"), ...states.map((state, i) => member(`w${i}`, { state }))],
      rows: owners.map((owner, i) =>
        row(`s${i}`, { owner: owner < 0 || owner === 5 ? undefined : `w${owner}` }),
      ),
    }))
    // An owner that never was a member is a non-member owner, which other tests cover.
    .map(({ members, rows }) => ({
      members,
      rows: rows.filter((l) => l.owner === undefined || members.some((m) => m.workerId === l.owner)),
    }));

  it("no lease is claimed by two, nor claimed by one while another hands it over", () => {
    fc.assert(
      fc.property(scenes, ({ members, rows }) => {
        const touched: string[] = [];
        for (const { workerId, state } of members) {
          if (state === "dead") continue;
          const decisions = decideFor(workerId, {
            rows,
            members,
            mayRelease: true,
            held: readBy(workerId, rows),
          });
          touched.push(...decisions.claim.map(({ lease }) => lease.leaseKey));
          touched.push(
            ...decisions.handOver.map((h) => h.leaseKey),
            ...decisions.release.map((r) => r.leaseKey),
          );
        }
        expect(new Set(touched).size).toBe(touched.length);
      }),
      { numRuns: 300 },
    );
  });

  it("two rounds settle it: everything is owned by active members, within one of each other, and stays", () => {
    fc.assert(
      fc.property(scenes, ({ members, rows }) => {
        const membersAfterDebounce = members.map((m) =>
          m.state === "joining" ? { ...m, state: "active" as const } : m,
        );
        const settled = round(round(rows, membersAfterDebounce), membersAfterDebounce);
        const active = membersAfterDebounce.filter((m) => m.state === "active").map((m) => m.workerId);
        const counts = ownedBy(settled);
        expect(Object.keys(counts).every((id) => active.includes(id))).toBe(true);
        const each = active.map((id) => counts[id] ?? 0);
        expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(1);
        const owners = (leases: readonly Lease[]) => leases.map((l) => `${l.leaseKey} ${l.owner}`);
        expect(owners(round(settled, membersAfterDebounce))).toEqual(owners(settled));
      }),
      { numRuns: 300 },
    );
  });
});

const readBy = (workerId: string, rows: readonly Lease[]) =>
  new Map(
    rows
      .filter((l) => l.owner === workerId)
      .map((l) => [l.leaseKey, { counter: l.counter, phase: "reading" as const }]),
  );
