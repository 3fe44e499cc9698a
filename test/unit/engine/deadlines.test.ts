/** The engine turns calls that never settle into errors, in time for the next heartbeat. */
import { describe, expect, it } from "vitest";
import {
  heartbeatDeadlineMillis,
  storeDeadlineMillis,
  storeWithDeadlines,
  streamWithDeadlines,
  within,
} from "../../../src/engine/deadlines.ts";
import { StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { StreamError } from "../../../src/ports/stream.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { LeaseTable } from "../../simulation/world/lease-table.ts";
import { memoryLeaseStore } from "../../simulation/world/memory-lease-store.ts";

const never = () => new Promise<never>(() => undefined);

describe("deadlines", () => {
  it("a call that never settles is StoreUnavailable or an unavailable StreamError", async () => {
    const clock = new VirtualClock();
    const memory = memoryLeaseStore(new LeaseTable());
    const store = storeWithDeadlines({ ...memory, sendHeartbeat: never, list: never }, clock, 10_000);
    const stream = streamWithDeadlines({ listShards: never, iterator: never, read: never }, clock, 10_000);
    const calls: (() => Promise<unknown>)[] = [
      () => store.list({ consistent: true }),
      () => stream.listShards(),
      () => stream.iterator("shard", { kind: "latest" }),
      () => stream.read("iterator", 10),
    ];
    const errors = Promise.all(calls.map((call) => call().catch((error: unknown) => error)));
    await clock.advance(30_000);
    const [list, ...ofStream] = await errors;
    expect(list).toBeInstanceOf(StoreUnavailableError);
    expect(ofStream.map((error) => error instanceof StreamError && error.problem)).toEqual(
      ofStream.map(() => "unavailable"),
    );
  });

  it("a read that is not answered is given up sooner with a short failover time, and later each time it is made again", async () => {
    const clock = new VirtualClock();
    const stream = streamWithDeadlines({ listShards: never, iterator: never, read: never }, clock, 4_000);
    const gaveUpAfter = async (iterator: string) => {
      const began = clock.now;
      let over: number | undefined;
      void stream.read(iterator, 10).catch(() => {
        over = clock.now - began;
      });
      await clock.advance(60_000);
      return over;
    };
    expect(await gaveUpAfter("shard-1")).toBe(6_000);
    expect(await gaveUpAfter("shard-1")).toBe(9_000);
    expect(await gaveUpAfter("shard-1")).toBe(13_500);
    expect(await gaveUpAfter("shard-2")).toBe(6_000);
  });

  it("an answer in time passes, as does an error; a late one counts no more", async () => {
    const clock = new VirtualClock();
    const late = () => new Error("late");
    expect(await within(clock, 100, Promise.resolve(7), late)).toBe(7);
    await expect(within(clock, 100, Promise.reject(new Error("own")), late)).rejects.toThrow("own");
    const slow = within(clock, 100, clock.sleep(200), late).catch((error: unknown) => error);
    await clock.advance(300);
    expect(String(await slow)).toContain("late");
  });

  it("two heartbeats that never settle leave time for a third within the failover time", () => {
    for (const failover of [2_000, 4_000, 10_000, 60_000]) {
      const pauseMillis = failover / 8;
      expect(2 * (heartbeatDeadlineMillis(failover) + pauseMillis)).toBeLessThan(failover);
      expect(storeDeadlineMillis(failover)).toBeLessThanOrEqual(failover / 2);
    }
  });
});
