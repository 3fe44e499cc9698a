/**
 * Every condition of `src/ports/lease-store.ts`, for any store. The DynamoDB adapter runs it on dynalite and
 * on the embedded endpoint, the simulator on its memory store. Both pass the same suite, so what the
 * simulator proves holds for the real store.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Checkpoint,
  LATEST,
  type Lease,
  SHARD_END,
  sentinel,
  TRIM_HORIZON,
} from "../../src/core/lease.ts";
import type { LeaseStore, WriteOutcome } from "../../src/ports/lease-store.ts";
import { fleetConditions, type LeaseStoreUnderTest, member } from "./fleet-suite.ts";

export interface LeaseStoreCapabilities {
  /**
   * A failed condition returns the old item (in dynalite it does not), by which retried writes and rivals'
   * rows are recognised.
   */
  readonly returnsOldItem: boolean;
}

const at = (sequenceNumber: string, subSequenceNumber = 0): Checkpoint => ({
  sequenceNumber,
  subSequenceNumber,
});

const freshLease = (leaseKey: string, rest: Partial<Lease> = {}): Lease => ({
  leaseKey,
  owner: undefined,
  counter: 0,
  checkpoint: sentinel(TRIM_HORIZON),
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: [],
  childShardIds: [],
  hashRange: undefined,
  checkpointOwner: undefined,
  ...rest,
});

function okLease(outcome: WriteOutcome): Lease {
  if (outcome.kind !== "ok") throw new Error(`expected the write to succeed, got ${JSON.stringify(outcome)}`);
  return outcome.lease;
}

/**
 * @param make called before every test, returns an empty table
 * @param around `prepare` and `tearDown` run before and after the whole suite
 */
export function describeLeaseStore(
  name: string,
  make: () => Promise<LeaseStoreUnderTest>,
  capabilities: LeaseStoreCapabilities,
  around: { prepare?(): Promise<void>; tearDown?(): Promise<void> } = {},
): void {
  describe(`lease store: ${name}`, () => {
    let store: LeaseStore;
    let rival: LeaseStore;
    let under: LeaseStoreUnderTest;
    beforeAll(async () => around.prepare?.());
    afterAll(async () => around.tearDown?.());
    beforeEach(async () => {
      under = await make();
      ({ store, rival } = under);
      return () => under.close();
    });

    const row = async (leaseKey: string): Promise<Lease | undefined> =>
      (await rival.list({ consistent: true })).leases.find((lease) => lease.leaseKey === leaseKey);
    const make1 = async (leaseKey: string, rest: Partial<Lease> = {}): Promise<Lease> => {
      await store.create(freshLease(leaseKey, rest));
      return (await row(leaseKey))!;
    };
    const claimed = async (leaseKey: string, owner = "me", rest: Partial<Lease> = {}): Promise<Lease> =>
      okLease(await store.claim(await make1(leaseKey, rest), owner));

    const expectLost = (outcome: WriteOutcome, current: Lease | undefined) =>
      expect(outcome).toEqual({ kind: "lost", current: capabilities.returnsOldItem ? current : undefined });

    describe("create and list", () => {
      it("keeps every field of a lease", async () => {
        const lease = freshLease("shard-1", {
          owner: "me",
          checkpoint: at("49590338271490256608559692538361571095921575989136588898", 3),
          parentShardIds: ["shard-a", "shard-b"],
          childShardIds: ["shard-x"],
          hashRange: { start: 0n, end: 2n ** 128n - 1n },
        });
        expect(await store.create(lease)).toBe("created");
        expect(await row("shard-1")).toEqual(lease);
        expect(await row("shard-2")).toBeUndefined();
      });

      it("keeps where LATEST begins until the first checkpoint, through a claim and a hand-over", async () => {
        const lease = freshLease("shard-1", { checkpoint: sentinel(LATEST), startMillis: 1_700_000_000_123 });
        await store.create(lease);
        const held = okLease(await store.claim((await row("shard-1"))!, "me"));
        const theirs = okLease(await store.handOver(held, "next", held.checkpoint));
        expect((await row("shard-1"))?.startMillis).toBe(1_700_000_000_123);
        const begun = okLease(await store.checkpoint(theirs, at("100")));
        expect(begun.startMillis).toBeUndefined();
        expect(await row("shard-1")).toEqual(begun);
      });

      it("starts the counter at 0 whatever the lease says", async () => {
        await store.create(freshLease("shard-1", { counter: 41 }));
        expect((await row("shard-1"))?.counter).toBe(0);
      });

      it("leaves an existing row as it is", async () => {
        const held = await claimed("shard-1");
        expect(await rival.create(freshLease("shard-1"))).toBe("exists");
        expect(await row("shard-1")).toEqual(held);
      });

      it("creates once among rivals", async () => {
        const outcomes = await Promise.all(
          [store, rival, store, rival].map((one) => one.create(freshLease("shard-1"))),
        );
        expect(outcomes.toSorted()).toEqual(["created", "exists", "exists", "exists"]);
      });

      it("lists leases and fleet pages apart", async () => {
        await make1("shard-1");
        await make1("shard-2");
        await store.join(0, member("me"));
        const listing = await rival.list({ consistent: true });
        expect(listing.leases.map((lease) => lease.leaseKey).toSorted()).toEqual(["shard-1", "shard-2"]);
        expect(listing.corrupt).toEqual([]);
        expect(listing.fleetRows.map((fleetRow) => fleetRow.members)).toEqual([[member("me")]]);
      });
    });

    describe("claim", () => {
      it("makes an unowned lease mine, counter moved, no switch counted", async () => {
        const seen = await make1("shard-1");
        const outcome = await store.claim(seen, "me");
        expect(outcome).toEqual({ kind: "ok", lease: { ...seen, owner: "me", counter: 1 } });
        expect(await row("shard-1")).toEqual(okLease(outcome));
      });

      it("takes an expired lease from another, counting the switch", async () => {
        const seen = await claimed("shard-1", "dead");
        const lease = okLease(await store.claim(seen, "me"));
        expect(lease).toEqual({ ...seen, owner: "me", counter: 2, ownerSwitchesSinceCheckpoint: 1 });
        expect(await row("shard-1")).toEqual(lease);
      });

      it("counts no switch when it was mine before", async () => {
        const again = okLease(await store.claim(await claimed("shard-1"), "me"));
        expect(again).toMatchObject({ owner: "me", counter: 2, ownerSwitchesSinceCheckpoint: 0 });
      });

      it("has one winner among rivals", async () => {
        const seen = await make1("shard-1");
        const names = ["a", "b", "c", "d", "e", "f"];
        const outcomes = await Promise.all(
          names.map((owner, index) => (index % 2 ? rival : store).claim(seen, owner)),
        );
        const winners = names.filter((_, index) => outcomes[index]?.kind === "ok");
        expect(winners).toHaveLength(1);
        const now = await row("shard-1");
        expect(now).toMatchObject({ owner: winners[0], counter: 1 });
        for (const outcome of outcomes) if (outcome.kind === "lost") expectLost(outcome, now);
      });

      it("loses when the owner renewed meanwhile", async () => {
        const seen = await claimed("shard-1", "other");
        const renewed = okLease(await rival.renew(seen));
        expectLost(await store.claim(seen, "me"), renewed);
        expect(await row("shard-1")).toEqual(renewed);
      });

      it("loses when the owner is another than seen, though the counter is the same", async () => {
        const seen = await make1("shard-1");
        const outcome = await store.claim({ ...seen, owner: "other" }, "me");
        expectLost(outcome, seen);
        const owned = await claimed("shard-2", "other");
        expectLost(await store.claim({ ...owned, owner: undefined }, "me"), owned);
      });

      it("loses a row that is gone, and does not bring it back", async () => {
        const seen = await make1("shard-1");
        await rival.remove(seen);
        expect(await store.claim(seen, "me")).toEqual({ kind: "lost", current: undefined });
        expect(await row("shard-1")).toBeUndefined();
      });

      it("ends a Java hand-over: the old owner's attribute goes, and the switch from it counts", async () => {
        const seen = await make1("shard-1", { owner: "me", checkpointOwner: "old" });
        const lease = okLease(await store.claim(seen, "me"));
        expect(lease).toMatchObject({
          owner: "me",
          checkpointOwner: undefined,
          ownerSwitchesSinceCheckpoint: 1,
        });
        expect(await row("shard-1")).toEqual(lease);
      });
    });

    const writes: readonly {
      readonly name: string;
      readonly run: (store: LeaseStore, held: Lease) => Promise<WriteOutcome>;
      readonly makes: (held: Lease) => Partial<Lease>;
    }[] = [
      { name: "renew", run: (one, held) => one.renew(held), makes: () => ({}) },
      {
        name: "checkpoint",
        run: (one, held) => one.checkpoint(held, at("200", 1)),
        makes: () => ({ checkpoint: at("200", 1), ownerSwitchesSinceCheckpoint: 0 }),
      },
      {
        name: "handOver",
        run: (one, held) => one.handOver(held, "next", at("200")),
        makes: () => ({
          owner: "next",
          checkpoint: at("200"),
          ownerSwitchesSinceCheckpoint: 1,
          isPending: true,
        }),
      },
      {
        name: "handOver without progress",
        run: (one, held) => one.handOver(held, "next", held.checkpoint),
        makes: (held) => ({
          owner: "next",
          ownerSwitchesSinceCheckpoint: held.ownerSwitchesSinceCheckpoint + 1,
          isPending: true,
        }),
      },
      {
        name: "release",
        run: (one, held) => one.release(held, at("200")),
        makes: () => ({ owner: undefined, checkpoint: at("200"), ownerSwitchesSinceCheckpoint: 0 }),
      },
      {
        name: "release without progress",
        run: (one, held) => one.release(held, held.checkpoint),
        makes: () => ({ owner: undefined }),
      },
      {
        name: "complete",
        run: (one, held) => one.complete(held, ["shard-y", "shard-x"]),
        makes: () => ({
          owner: undefined,
          checkpoint: sentinel(SHARD_END),
          ownerSwitchesSinceCheckpoint: 0,
          childShardIds: ["shard-x", "shard-y"],
        }),
      },
    ];

    it("one row is read by its key, as the newest write left it", async () => {
      const mine = await claimed("shard-1", "me");
      const newest = okLease(await rival.checkpoint(mine, at("150")));
      expect(await store.read("shard-1")).toEqual(newest);
      expect(await store.read("shard-9")).toBeUndefined();
    });

    describe.each(writes)("$name", ({ run, makes }) => {
      /** A held lease that was taken from another worker, so that owner switches show. */
      const held = async () => {
        const before = await claimed("shard-1", "before", {
          checkpoint: at("100"),
          parentShardIds: ["shard-0"],
          hashRange: { start: 5n, end: 9n },
        });
        return okLease(await store.claim(before, "me"));
      };

      it("writes what it says, moves the counter by one and touches nothing else", async () => {
        const mine = await held();
        const outcome = await run(store, mine);
        expect(outcome).toEqual({
          kind: "ok",
          lease: { ...mine, counter: mine.counter + 1, ...makes(mine) },
        });
        expect(await row("shard-1")).toEqual(okLease(outcome));
      });

      it("is lost to a zombie: another has claimed the lease", async () => {
        const mine = await held();
        const theirs = okLease(await rival.claim(mine, "other"));
        expectLost(await run(store, mine), theirs);
        expect(await row("shard-1")).toEqual(theirs);
      });

      it("is lost with a counter from before", async () => {
        const mine = await held();
        const newest = okLease(await store.checkpoint(okLease(await store.renew(mine)), at("150")));
        expectLost(await run(store, mine), newest);
        expect(await row("shard-1")).toEqual(newest);
      });

      it("is lost when the row names another owner at the same counter", async () => {
        const theirs = await claimed("shard-1", "other");
        expectLost(await run(store, { ...theirs, owner: "me" }), theirs);
        expect(await row("shard-1")).toEqual(theirs);
      });

      it("is lost when the row is gone, and does not bring it back", async () => {
        const mine = await held();
        await rival.remove(mine);
        expect(await run(store, mine)).toEqual({ kind: "lost", current: undefined });
        expect(await row("shard-1")).toBeUndefined();
      });

      it("has one winner against a rival's claim", async () => {
        const mine = await held();
        const [own, theirs] = await Promise.all([run(store, mine), rival.claim(mine, "other")]);
        expect([own.kind, theirs.kind].toSorted()).toEqual(["lost", "ok"]);
        expect(await row("shard-1")).toEqual(okLease(own.kind === "ok" ? own : theirs));
      });

      it.runIf(capabilities.returnsOldItem)(
        "repeated after a lost answer succeeds and counts once",
        async () => {
          const mine = await held();
          const first = okLease(await run(store, mine));
          expect(await run(store, mine)).toEqual({ kind: "ok", lease: first });
          expect(await row("shard-1")).toEqual(first);
        },
      );

      it("is lost while another than the holder finishes a Java hand-over", async () => {
        const mine = await make1("shard-1", { owner: "me", checkpointOwner: "other" });
        const outcome = await run(store, { ...mine, checkpointOwner: undefined });
        expectLost(outcome, mine);
        expect(await row("shard-1")).toEqual(mine);
      });

      it("may be done by the old owner of a Java hand-over that knows of it", async () => {
        const mine = await make1("shard-1", {
          owner: "next-java",
          checkpointOwner: "me",
          checkpoint: at("100"),
        });
        const outcome = await run(store, mine);
        expect(outcome).toMatchObject({ kind: "ok", lease: { counter: 1 } });
        expect(await row("shard-1")).toEqual(okLease(outcome));
      });
    });

    it.runIf(capabilities.returnsOldItem)(
      "claim repeated after a lost answer succeeds and counts once",
      async () => {
        const seen = await make1("shard-1");
        const first = okLease(await store.claim(seen, "me"));
        expect(await store.claim(seen, "me")).toEqual({ kind: "ok", lease: first });
        expect(await row("shard-1")).toEqual(first);
      },
    );

    it("complete without children keeps those the row names", async () => {
      const held = await claimed("shard-1", "me", { childShardIds: ["shard-x"] });
      expect(okLease(await store.complete(held, [])).childShardIds).toEqual(["shard-x"]);
      expect((await row("shard-1"))?.childShardIds).toEqual(["shard-x"]);
    });

    describe("remove", () => {
      it("deletes a row whose counter is as seen; one that is gone is removed", async () => {
        const seen = await make1("shard-1");
        expect(await store.remove(seen)).toBe("removed");
        expect(await row("shard-1")).toBeUndefined();
        expect(await store.remove(seen)).toBe("removed");
      });

      it("leaves a row that has moved", async () => {
        const seen = await make1("shard-1");
        const now = okLease(await rival.claim(seen, "other"));
        expect(await store.remove(seen)).toBe("changed");
        expect(await row("shard-1")).toEqual(now);
      });
    });

    fleetConditions(() => under);
  });
}
