/**
 * The fleet's half of the lease-store suite: membership, heartbeats, fencing, fleet rows and the fleet
 * version.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { MEMBERS_PER_ROW, type Member } from "../../src/core/member.ts";
import type { LeaseStore } from "../../src/ports/lease-store.ts";

export interface LeaseStoreUnderTest {
  /** An empty table. */
  readonly store: LeaseStore;
  /** The same table, as used by another worker. */
  readonly rival: LeaseStore;
  close(): Promise<void>;
}

export const member = (workerId: string, rest: Partial<Member> = {}): Member => ({
  workerId,
  incarnation: `i-${workerId}`,
  heartbeat: 1,
  state: "active",
  maxLeases: undefined,
  steals: true,
  failoverTimeMillis: 10_000,
  ...rest,
});

/** Called inside the suite; `under` is the table of the running test. */
export function fleetConditions(under: () => LeaseStoreUnderTest): void {
  describe("fleet", () => {
    let store: LeaseStore;
    let rival: LeaseStore;
    beforeEach(() => {
      ({ store, rival } = under());
    });

    const version = async () => (await rival.readFleet(0, { consistent: true }))?.version;
    const members = async (fleetRow: number) =>
      (await rival.readFleet(fleetRow, { consistent: true }))?.members.map((one) => one.workerId);

    describe("join", () => {
      it("makes page 0 with the first member, and adds others", async () => {
        expect(await store.readFleet(0)).toBeUndefined();
        const one = member("a", { maxLeases: 7, steals: false, state: "joining", heartbeat: 12 });
        const first = await store.join(0, one);
        expect(first).toEqual({
          kind: "ok",
          fleetRow: { number: 0, version: 1, shardSyncRequests: 0, members: [one] },
        });
        const second = await rival.join(0, member("b"));
        expect(second).toEqual({
          kind: "ok",
          fleetRow: { number: 0, version: 2, shardSyncRequests: 0, members: [one, member("b")] },
        });
        expect(await rival.readFleet(0, { consistent: true })).toEqual(
          second.kind === "ok" && second.fleetRow,
        );
      });

      it("loses nobody when all start at once", async () => {
        const names = ["a", "b", "c", "d", "e", "f"];
        await Promise.all(names.map((id, index) => (index % 2 ? rival : store).join(0, member(id))));
        expect(await members(0)).toEqual(names);
        expect(await version()).toBe(names.length);
      });

      it("replaces a namesake, who is then superseded", async () => {
        const old = member("a", { incarnation: "old" });
        await store.join(0, old);
        await rival.join(0, member("a", { incarnation: "new" }));
        expect(await members(0)).toEqual(["a"]);
        expect(await store.sendHeartbeat(0, { ...old, heartbeat: 2 }, { bump: false })).toEqual({
          kind: "fencedOut",
          entry: member("a", { incarnation: "new" }),
        });
      });

      it("is refused on a full page, except to a namesake", async () => {
        for (let n = 0; n < MEMBERS_PER_ROW; n++) await store.join(0, member(`w${n}`));
        const before = await version();
        expect(await store.join(0, member("late"))).toEqual({ kind: "full" });
        expect(await version()).toBe(before);
        expect(await store.join(0, member("w0", { incarnation: "again" }))).toMatchObject({ kind: "ok" });
        expect(await members(0)).toHaveLength(MEMBERS_PER_ROW);
      });

      it("gives the last place of a page to one of two", async () => {
        for (let n = 1; n < MEMBERS_PER_ROW; n++) await store.join(0, member(`w${n}`));
        const outcomes = await Promise.all([store.join(0, member("x")), rival.join(0, member("y"))]);
        expect(outcomes.map((outcome) => outcome.kind).toSorted()).toEqual(["full", "ok"]);
        expect(await members(0)).toHaveLength(MEMBERS_PER_ROW);
      });

      it("on another page moves the generation of page 0", async () => {
        await store.join(0, member("a"));
        expect(await store.join(1, member("b"))).toMatchObject({
          kind: "ok",
          fleetRow: { number: 1, version: 0 },
        });
        expect(await members(1)).toEqual(["b"]);
        expect(await version()).toBe(2);
      });
    });

    describe("sendHeartbeat", () => {
      it("writes the entry and returns the page", async () => {
        await store.join(0, member("a"));
        await store.join(0, member("b"));
        const next = member("a", { heartbeat: 2, state: "leaving", maxLeases: 4 });
        const outcome = await store.sendHeartbeat(0, next, { bump: false });
        expect(outcome).toEqual({
          kind: "ok",
          fleetRow: { number: 0, version: 2, shardSyncRequests: 0, members: [next, member("b")] },
        });
        expect(await rival.readFleet(0, { consistent: true })).toEqual(
          outcome.kind === "ok" && outcome.fleetRow,
        );
      });

      it("does not set a heartbeat back: a write that comes late changes nothing", async () => {
        await store.join(0, member("a"));
        await store.sendHeartbeat(0, member("a", { heartbeat: 3 }), { bump: false });
        expect(
          await store.sendHeartbeat(0, member("a", { heartbeat: 2, state: "leaving" }), { bump: true }),
        ).toEqual({
          kind: "fencedOut",
          entry: member("a", { heartbeat: 3 }),
        });
        expect(await version()).toBe(1);
        expect(await store.sendHeartbeat(0, member("a", { heartbeat: 3 }), { bump: false })).toMatchObject({
          kind: "ok",
        });
      });

      it("moves the generation when asked, on page 0 and from another page", async () => {
        await store.join(0, member("a"));
        await store.join(1, member("b"));
        await store.sendHeartbeat(0, member("a", { heartbeat: 2 }), { bump: true });
        expect(await version()).toBe(3);
        await store.sendHeartbeat(1, member("b", { heartbeat: 2 }), { bump: true });
        expect(await version()).toBe(4);
        await store.sendHeartbeat(1, member("b", { heartbeat: 3 }), { bump: false });
        expect(await version()).toBe(4);
      });

      it("is superseded where there is no such member, page or living entry, and shows what is there", async () => {
        const nothing = { kind: "fencedOut", entry: undefined };
        expect(await store.sendHeartbeat(0, member("a"), { bump: true })).toEqual(nothing);
        expect(await store.readFleet(0, { consistent: true })).toBeUndefined();
        await store.join(0, member("a"));
        expect(await store.sendHeartbeat(0, member("b"), { bump: false })).toEqual(nothing);
        expect(await store.sendHeartbeat(0, member("a", { incarnation: "i-2" }), { bump: false })).toEqual({
          kind: "fencedOut",
          entry: member("a"),
        });
        await rival.markDead(0, member("a"));
        expect(await store.sendHeartbeat(0, member("a", { heartbeat: 2 }), { bump: true })).toEqual({
          kind: "fencedOut",
          entry: member("a", { state: "dead" }),
        });
        expect((await store.readFleet(0, { consistent: true }))?.members).toEqual([
          member("a", { state: "dead" }),
        ]);
      });
    });

    describe("markDead", () => {
      it("marks a member whose heartbeat is as seen, and wakes the fleet", async () => {
        await store.join(0, member("a", { heartbeat: 5 }));
        expect(await rival.markDead(0, member("a", { heartbeat: 5 }))).toBe("declared");
        expect((await rival.readFleet(0, { consistent: true }))?.members[0]?.state).toBe("dead");
        expect(await version()).toBe(2);
      });

      it("on another page moves the generation of page 0", async () => {
        await store.join(0, member("a"));
        await store.join(1, member("b"));
        expect(await rival.markDead(1, member("b"))).toBe("declared");
        expect(await version()).toBe(3);
      });

      it("fails when it beat meanwhile, was replaced, or is gone", async () => {
        await store.join(0, member("a"));
        const seen = member("a");
        await store.sendHeartbeat(0, member("a", { heartbeat: 2 }), { bump: false });
        expect(await rival.markDead(0, seen)).toBe("changed");
        expect(await rival.markDead(0, member("a", { heartbeat: 2, incarnation: "other" }))).toBe("changed");
        expect(await rival.markDead(0, member("b"))).toBe("changed");
        expect(await rival.markDead(1, member("b"))).toBe("changed");
        expect((await rival.readFleet(0, { consistent: true }))?.members[0]?.state).toBe("active");
        expect(await version()).toBe(1);
        expect(await rival.readFleet(1, { consistent: true })).toBeUndefined();
      });

      it("is overcome by a rejoin", async () => {
        await store.join(0, member("a"));
        await rival.markDead(0, member("a"));
        const again = member("a", { incarnation: "again" });
        await store.join(0, again);
        expect((await store.sendHeartbeat(0, { ...again, heartbeat: 2 }, { bump: false })).kind).toBe("ok");
      });
    });

    describe("assign", () => {
      const claim = { leaseKey: "shard-1", worker: "a", to: "a", counter: 7, owner: "gone" };
      const handOver = { leaseKey: "shard-2", worker: "a", to: "b" };
      const size = { workers: 1_000, shards: 10_000 };
      const fleetRow = (number: number) => rival.readFleet(number, { consistent: true });

      it("sets the page's assignments and the fleet's size, and takes both away again", async () => {
        await store.join(0, member("a"));
        expect(await store.assign(0, [claim, handOver], size)).toBe("assigned");
        expect(await fleetRow(0)).toMatchObject({ assignments: [claim, handOver], size, version: 1 });
        expect(await rival.assign(0, [handOver], size)).toBe("assigned");
        expect((await fleetRow(0))?.assignments).toEqual([handOver]);
        expect(await store.assign(0, [], undefined)).toBe("assigned");
        const last = await fleetRow(0);
        expect([last?.assignments, last?.size]).toEqual([undefined, undefined]);
      });

      it("is kept by joins and heartbeats, which show it", async () => {
        await store.join(0, member("a"));
        await store.assign(0, [claim], size);
        await rival.join(0, member("b"));
        const written = await store.sendHeartbeat(0, member("a", { heartbeat: 2, leases: 3 }), {
          bump: false,
        });
        expect(written).toMatchObject({ kind: "ok", fleetRow: { assignments: [claim], size } });
        expect(written.kind === "ok" && written.fleetRow.members[0]?.leases).toBe(3);
      });

      it("makes no page where there is none", async () => {
        expect(await store.assign(3, [claim], undefined)).toBe("gone");
        expect(await fleetRow(3)).toBeUndefined();
      });
    });

    describe("leave", () => {
      it("removes the entry and wakes the fleet", async () => {
        await store.join(0, member("a"));
        await store.join(0, member("b"));
        expect(await store.leave(0, member("a", { heartbeat: 99 }))).toBe("left");
        expect(await members(0)).toEqual(["b"]);
        expect(await version()).toBe(3);
      });

      it("leaves a namesake alone; an entry that is gone has left", async () => {
        await store.join(0, member("a", { incarnation: "new" }));
        await store.join(0, member("b"));
        expect(await store.leave(0, member("a", { incarnation: "old" }))).toBe("changed");
        expect(await members(0)).toEqual(["a", "b"]);
        expect(await store.leave(0, member("b"))).toBe("left");
        expect(await store.leave(0, member("b"))).toBe("left");
        expect(await store.leave(3, member("c"))).toBe("left");
        expect(await members(0)).toEqual(["a"]);
        expect(await rival.readFleet(3, { consistent: true })).toBeUndefined();
      });

      it("deletes page 0 with the last member of the fleet", async () => {
        await store.join(0, member("a"));
        expect(await store.leave(0, member("a"))).toBe("left");
        expect((await rival.list({ consistent: true })).fleetRows).toEqual([]);
      });

      it("deletes another page with its last member, and wakes the fleet", async () => {
        await store.join(0, member("a"));
        await store.join(1, member("b"));
        await store.join(1, member("c"));
        await store.leave(1, member("b"));
        expect(await members(1)).toEqual(["c"]);
        await store.leave(1, member("c"));
        expect(await rival.readFleet(1, { consistent: true })).toBeUndefined();
        expect(await version()).toBe(5);
      });

      it("keeps an empty page 0 while another page has members, and deletes it with the last of them", async () => {
        await store.join(0, member("a"));
        await store.join(2, member("b"));
        await store.leave(0, member("a"));
        expect(await members(0)).toEqual([]);
        expect(await version()).toBe(3);
        await store.leave(2, member("b"));
        expect((await rival.list({ consistent: true })).fleetRows).toEqual([]);
      });

      it("cleans up completely when all leave at once", async () => {
        const all = ["a", "b", "c", "d"].map((id) => member(id));
        for (const one of all) await store.join(one.workerId < "c" ? 0 : 1, one);
        await Promise.all(all.map((one) => rival.leave(one.workerId < "c" ? 0 : 1, one)));
        expect((await store.list({ consistent: true })).fleetRows).toEqual([]);
      });
    });

    it("bumpGeneration moves page 0, and makes none where none is", async () => {
      await store.bumpFleetVersion();
      expect(await rival.readFleet(0, { consistent: true })).toBeUndefined();
      await store.join(0, member("a"));
      await Promise.all([store.bumpFleetVersion(), rival.bumpFleetVersion()]);
      expect(await version()).toBe(3);
      expect(await members(0)).toEqual(["a"]);
    });
  });
}
