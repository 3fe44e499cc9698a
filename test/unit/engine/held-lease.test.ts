/** H4: however many answers are lost, a worker recognises its own writes and keeps the lease. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownLease } from "../../../src/engine/held-lease.ts";
import { type LeaseStore, StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { freshLease, LeaseTable } from "../../simulation/world/lease-table.ts";
import { memoryLeaseStore } from "../../simulation/world/memory-lease-store.ts";

const KEY = "shardId-000000000000";
const at = (n: number) => ({ sequenceNumber: String(n), subSequenceNumber: 0 });

/** ok: answered; lost: takes effect, and the answer is lost; failed: has no effect. */
type Fate = "ok" | "lost" | "failed";

function setup(fates: Fate[]) {
  const table = new LeaseTable();
  table.create("me", freshLease(KEY));
  const store = memoryLeaseStore(table, { worker: "me" });
  const fated =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const fate = fates.shift() ?? "ok";
      if (fate === "failed") throw new StoreUnavailableError("failed");
      const outcome = await call(...args);
      if (fate === "lost") throw new StoreUnavailableError("the answer was lost");
      return outcome;
    };
  const { checkpoint, renew, handOver, release, complete } = store;
  const wrapped: LeaseStore = {
    ...store,
    checkpoint: fated(checkpoint),
    renew: fated(renew),
    handOver: fated(handOver),
    release: fated(release),
    complete: fated(complete),
  };
  const claimed = table.claim("me", table.lease(KEY)!, "me");
  if (claimed.kind !== "ok") throw new Error("not claimed");
  const owned = ownLease(
    wrapped,
    claimed.lease,
    () => 0,
    () => undefined,
  );
  return { table, owned };
}

/** Repeats until there is an answer, as the engine does. */
async function until<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }
  throw new Error("never answered");
}

describe("a lease whose writes have no answers", () => {
  it("is kept through any sequence of lost answers and failures, and its checkpoints arrive", async () => {
    const fates = fc.array(fc.constantFrom<Fate>("ok", "lost", "failed"), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fates, fc.boolean(), async (drawn, handsOver) => {
        const { table, owned } = setup([...drawn]);
        for (let n = 1; n <= 5; n++) {
          expect(await until(() => owned.checkpoint(at(n)))).toBe("ok");
          expect(table.lease(KEY)?.checkpoint).toEqual(at(n));
        }
        expect(await until(() => (handsOver ? owned.handOver("next", at(6)) : owned.release(at(6))))).toBe(
          "ok",
        );
        expect(table.lease(KEY)).toMatchObject({ owner: handsOver ? "next" : undefined, checkpoint: at(6) });
      }),
    );
  });

  it("is lost when another worker has written the row", async () => {
    const { table, owned } = setup(["lost"]);
    await expect(owned.checkpoint(at(1))).rejects.toThrow(StoreUnavailableError);
    table.claim("thief", table.lease(KEY)!, "thief");
    expect(await owned.checkpoint(at(2))).toBe("lost");
    expect(table.lease(KEY)).toMatchObject({ owner: "thief", checkpoint: at(1) });
  });

  it("handed over without an answer, and moved on since: it was handed over", async () => {
    const { table, owned } = setup(["lost"]);
    await expect(owned.handOver("next", at(1))).rejects.toThrow(StoreUnavailableError);
    table.checkpoint("next", table.lease(KEY)!, at(9));
    expect(await owned.handOver("next", at(1))).toBe("ok");
    expect(await owned.checkpoint(at(2))).toBe("lost");
    expect(table.lease(KEY)).toMatchObject({ owner: "next", checkpoint: at(9) });
  });
});
