import { describe, expect, it } from "vitest";
import type { Member } from "../../../src/core/member.ts";
import { FleetCache } from "../../../src/engine/fleet-cache.ts";
import { member, row } from "../core/rows.ts";

const FAILOVER_MILLIS = 2_000;
const ann = (but: Partial<Member> = {}) => member("ann", { failoverTimeMillis: FAILOVER_MILLIS, ...but });

describe("silent members", () => {
  const poll = (cache: FleetCache, fleetRow: number, entry: Member, atMillis: number) =>
    cache.sawRow({ number: fleetRow, version: 1, shardSyncRequests: 0, members: [entry] }, atMillis);

  it("are those whose heartbeat was seen unmoved for longer than the failover time", () => {
    const cache = new FleetCache(FAILOVER_MILLIS);
    for (const at of [0, 0.5, 1]) poll(cache, 0, ann(), at * FAILOVER_MILLIS);
    expect(cache.expiredMembers()).toEqual(new Set());
    poll(cache, 0, ann(), FAILOVER_MILLIS + 1);
    expect(cache.expiredMembers()).toEqual(new Set(["ann"]));
    poll(cache, 0, ann({ heartbeat: 2 }), FAILOVER_MILLIS + 2);
    expect(cache.expiredMembers()).toEqual(new Set());
  });

  it("are no workers that a gap hides: of a time without a look, half of a member's own failover time counts", () => {
    // This worker's own failover time is long: its heartbeats were not due while no member could be polled.
    const cache = new FleetCache(10 * FAILOVER_MILLIS);
    poll(cache, 0, ann(), 0);
    poll(cache, 0, ann(), 0.4 * FAILOVER_MILLIS);
    poll(cache, 0, ann(), 3 * FAILOVER_MILLIS);
    expect(cache.expiredMembers()).toEqual(new Set());
    poll(cache, 0, ann(), 3.2 * FAILOVER_MILLIS);
    expect(cache.expiredMembers()).toEqual(new Set(["ann"]));
  });

  it("are not told from the dead entry that a living namesake left on another page", () => {
    const cache = new FleetCache(FAILOVER_MILLIS);
    const dead = member("ann", { state: "dead" });
    poll(cache, 0, dead, 0);
    poll(cache, 0, dead, 3 * FAILOVER_MILLIS);
    poll(cache, 1, member("ann", { incarnation: "second" }), 3 * FAILOVER_MILLIS);
    expect(cache.members().map(({ incarnation }) => incarnation)).toEqual(["second"]);
    expect(cache.expiredMembers()).toEqual(new Set());
  });
});

describe("members that may have a batch that blocked another worker", () => {
  const lease = (owner: string, switches: number) =>
    row(`shard-${owner}`, { owner, ownerSwitchesSinceCheckpoint: switches });

  it.each([
    ["has a lease that moved since its last checkpoint", 1, true, 3],
    ["has none that moved", 0, true, 1],
    ["has one, and no worker covers a block", 1, false, 1],
  ])("are given as much time: one that %s", (_, switches, covers, times) => {
    const cache = new FleetCache(10 * FAILOVER_MILLIS);
    cache.wrote(lease("ann", switches));
    const bob = (heartbeat: number) =>
      member("bob", { heartbeat, failoverTimeMillis: 3 * FAILOVER_MILLIS, ...(covers && { covers }) });
    const poll = (atMillis: number) =>
      cache.sawRow(
        { number: 0, version: 1, shardSyncRequests: 0, members: [ann(), bob(atMillis)] },
        atMillis,
      );
    for (let at = 0; at <= times; at += 0.5) poll(at * FAILOVER_MILLIS);
    expect(cache.expiredMembers()).toEqual(new Set());
    poll(times * FAILOVER_MILLIS + 1);
    expect(cache.expiredMembers()).toEqual(new Set(["ann"]));
  });
});

describe("leases of foreign owners", () => {
  const cache = () => {
    const made = new FleetCache(FAILOVER_MILLIS);
    made.sawRow({ number: 0, version: 1, shardSyncRequests: 0, members: [member("ann")] }, 0);
    return made;
  };

  it("are known from a refused write, before any scan has met them", () => {
    const met = cache();
    met.wrote(row("shard-1", { owner: "ann" }));
    expect(met.hasNonMemberLeases).toBe(false);
    met.wrote(row("shard-1", { owner: "java", counter: 7 }));
    expect(met.hasNonMemberLeases).toBe(true);
  });

  it("are forgotten with the scan that finds none", () => {
    const met = cache();
    met.wrote(row("shard-1", { owner: "java", counter: 7 }));
    met.scanStarts();
    const fleetRows = [...met.fleetRows.values()];
    met.scanned(
      {
        leases: [row("shard-1", { owner: "ann", counter: 8 })],
        corrupt: [],
        fleetRows: fleetRows,
        hasApplication: true,
      },
      1,
      0,
    );
    expect(met.hasNonMemberLeases).toBe(false);
  });

  it("are watched anew when somebody else takes them: the last owner's silence is not the next one's", () => {
    const met = cache();
    const fleetRows = [...met.fleetRows.values()];
    const scan = (owner: string, counter: number, atMillis: number) => {
      met.scanStarts();
      met.scanned(
        {
          leases: [row("shard-1", { owner, counter })],
          corrupt: [],
          fleetRows: fleetRows,
          hasApplication: true,
        },
        1,
        atMillis,
      );
    };
    scan("ghost", 7, 0);
    scan("ghost", 7, FAILOVER_MILLIS);
    scan("ghost", 7, FAILOVER_MILLIS + 1);
    expect(met.expiredLeases(FAILOVER_MILLIS)).toEqual(new Set(["shard-1"]));
    met.wrote(row("shard-1", { owner: "ann", counter: 8 }));
    met.wrote(row("shard-1", { owner: "java", counter: 9 }));
    expect(met.expiredLeases(FAILOVER_MILLIS)).toEqual(new Set());
    expect(met.observedLeases(FAILOVER_MILLIS)).toEqual(new Set());
    scan("java", 9, FAILOVER_MILLIS + 2);
    expect(met.observedLeases(FAILOVER_MILLIS)).toEqual(new Set());
  });

  it("are scanned for also after this worker has begun to observe anew", () => {
    const met = cache();
    const fleetRows = [...met.fleetRows.values()];
    met.scanStarts();
    met.scanned(
      {
        leases: [row("shard-1", { owner: "ghost", counter: 7 })],
        corrupt: [],
        fleetRows: fleetRows,
        hasApplication: true,
      },
      1,
      0,
    );
    met.restartObservation();
    expect(met.hasNonMemberLeases).toBe(true);
  });

  it.each([
    ["removed itself", true, ["shard-1"]],
    ["vanished with the row, or with one that was not leaving", false, []],
  ])("are free at once when their owner was leaving and %s", (_, othersStay, free) => {
    const met = new FleetCache(FAILOVER_MILLIS);
    const fleetRow = (version: number, members: Member[]) => ({
      ...{ number: 0, version: version, shardSyncRequests: 0 },
      members,
    });
    const others = [member("bob"), member("cid")];
    met.sawRow(fleetRow(1, [...others, member("ann", { state: "leaving" })]), 0);
    const left = fleetRow(2, othersStay ? others : [member("bob")]);
    met.scanStarts();
    const leases = [row("shard-1", { owner: "ann" })];
    met.scanned({ leases, corrupt: [], fleetRows: [left], hasApplication: true }, 2, 1);
    expect(met.expiredLeases(FAILOVER_MILLIS)).toEqual(new Set(free));
  });

  it("are judged by the failover time that their owner published before its entry was removed", () => {
    const met = cache();
    const long = member("ann", { failoverTimeMillis: 5 * FAILOVER_MILLIS });
    met.sawRow({ number: 0, version: 1, shardSyncRequests: 0, members: [long] }, 0);
    const scan = (atMillis: number) => {
      met.scanStarts();
      const leases = [row("shard-1", { owner: "ann", counter: 7 })];
      met.scanned({ leases, corrupt: [], fleetRows: [], hasApplication: true }, 1, atMillis);
    };
    for (let part = 0; part <= 9; part += 1) scan((part / 2) * FAILOVER_MILLIS);
    expect(met.expiredLeases(FAILOVER_MILLIS)).toEqual(new Set());
    for (let part = 10; part <= 11; part += 1) scan((part / 2) * FAILOVER_MILLIS);
    expect(met.expiredLeases(FAILOVER_MILLIS)).toEqual(new Set(["shard-1"]));
  });
});
