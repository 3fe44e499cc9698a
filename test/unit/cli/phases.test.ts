import { describe, expect, it } from "vitest";
import { Interrupted } from "../../../lab/errors.ts";
import { type PhaseResult, runPhases } from "../../../lab/experiment/phases.ts";
import { Sampler } from "../../../lab/experiment/sampler.ts";
import type { Snapshot } from "../../../lab/fleet/state.ts";
import type { Flow } from "../../../lab/history/tail.ts";
import { type ExperimentSettings, SEED_SETTINGS } from "../../../lab/settings.ts";
import type { HistoryEvent } from "../../../services/contract/history.ts";
import { FULL_RANGE } from "../../../src/core/hash-range.ts";
import type { Lease, Member } from "../../../src/inspect.ts";
import type { Clock } from "../../../src/ports/clock.ts";

/** Virtual time: when all callers sleep, it jumps to the earliest wake-up. */
function virtualClock(): Clock {
  let now = 0;
  let pumping = false;
  const sleepers: { at: number; wake: () => void }[] = [];
  const pump = () => {
    sleepers.sort((a, b) => a.at - b.at);
    const next = sleepers.shift();
    pumping = next !== undefined;
    if (!next) return;
    now = Math.max(now, next.at);
    next.wake();
    setImmediate(() => setImmediate(pump));
  };
  return {
    wallMillis: () => 1_000_000 + now,
    monotonicMillis: () => now,
    sleep: (millis, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const wake = () => {
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        sleepers.push({ at: now + millis, wake });
        signal?.addEventListener("abort", wake, { once: true });
        if (!pumping) {
          pumping = true;
          setImmediate(() => setImmediate(pump));
        }
      }),
  };
}

/** A fleet that is even at once, and performs each request after a second. */
class FakeFleet {
  shards: { shardId: string; parents: string[]; open: boolean }[];
  workers: number;
  unread = 5;
  readonly clock: Clock;
  deaf = false;

  constructor({ shards, pods }: ExperimentSettings, clock: Clock) {
    this.shards = Array.from({ length: shards }, (_, i) => ({ shardId: `s${i}`, parents: [], open: true }));
    this.workers = pods;
    this.clock = clock;
  }

  async reshard(target: number): Promise<void> {
    await this.clock.sleep(1_000);
    const open = () => this.shards.filter((shard) => shard.open);
    while (open().length < target) {
      const parent = open()[0]!;
      parent.open = false;
      for (const half of ["a", "b"])
        this.shards.push({ shardId: `${parent.shardId}${half}`, parents: [parent.shardId], open: true });
    }
  }

  async scale(target: number): Promise<void> {
    await this.clock.sleep(1_000);
    if (!this.deaf) this.workers = target;
  }

  async stopProducer(): Promise<void> {
    this.unread = 0;
  }

  snapshot(): Snapshot {
    const ids = Array.from({ length: this.workers }, (_, i) => `w${i}`);
    const members = ids.map(
      (workerId): Member => ({
        workerId,
        incarnation: "1",
        heartbeat: 1,
        state: "active",
        maxLeases: 10,
        steals: true,
        failoverTimeMillis: 10_000,
      }),
    );
    let next = 0;
    const leases = this.shards.map(
      ({ shardId, parents, open }): Lease => ({
        leaseKey: shardId,
        owner: open ? ids[next++ % ids.length] : undefined,
        counter: 1,
        checkpoint: { sequenceNumber: open ? "1" : "SHARD_END", subSequenceNumber: 0 },
        ownerSwitchesSinceCheckpoint: 0,
        parentShardIds: parents,
        childShardIds: [],
        hashRange: undefined,
        checkpointOwner: undefined,
      }),
    );
    const fleetRow = { number: 0, version: 1, shardSyncRequests: 0, members };
    return { t: this.clock.wallMillis(), leases, corrupt: [], fleetRows: [fleetRow] };
  }
}

interface TestEnvironment {
  readonly fleet: FakeFleet;
  readonly history: HistoryEvent[];
  readonly run: () => Promise<PhaseResult[]>;
  readonly stop: AbortController;
}

function stage(change: Partial<ExperimentSettings> = {}): TestEnvironment {
  const settings = { ...SEED_SETTINGS, shards: 4, splitTo: 6, pods: 2, scaleTo: 3, ...change };
  const clock = virtualClock();
  const fleet = new FakeFleet(settings, clock);
  const history: HistoryEvent[] = [];
  const stop = new AbortController();
  const flow = (): Flow => ({
    produced: 9,
    processed: 9 - fleet.unread,
    pending: fleet.unread,
    newestPutAt: 0,
  });
  const sampler = new Sampler(
    {
      leases: { snapshot: async () => fleet.snapshot() },
      listShards: async () => fleet.shards.map((shard) => ({ ...shard, range: FULL_RANGE })),
      flow: async () => flow(),
    },
    (event) => void history.push(event),
    clock,
    () => undefined,
  );
  const run = async () => {
    sampler.start();
    try {
      return await runPhases({
        settings,
        sampler,
        controls: fleet,
        clock,
        signal: stop.signal,
        write: (event) => void history.push(event),
        phase: () => undefined,
        done: () => undefined,
      });
    } finally {
      await sampler.stop();
    }
  };
  return { fleet, history, run, stop };
}

const events = (history: readonly HistoryEvent[]) => history.filter((event) => event.type === "event");

describe("the script", () => {
  it("goes through the seed's phases and marks them in the history", async () => {
    const { run, history } = stage();
    const results = await run();
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true]);
    expect(events(history).map(({ name, phase }) => phase ?? name)).toEqual([
      "initial-balance",
      "split",
      "split-requested",
      "split-done",
      "scale",
      "scale-requested",
      "drain",
    ]);
  });

  it("names the children a split made, with their parents, and none that were there before", async () => {
    const { run, history } = stage();
    await run();
    const done = events(history).filter(({ name }) => name === "split-done");
    expect(done.flatMap(({ children }) => children)).toEqual(["s0a", "s0b", "s1a", "s1b"]);
    expect(done[0]).toMatchObject({ parents: { s0a: ["s0"], s1b: ["s1"] } });
  });

  it("samples every lease at least every 250 ms", async () => {
    const { run, history } = stage();
    await run();
    const samples = history.flatMap((event) => (event.type === "leases" ? [event.t] : []));
    const gaps = samples.slice(1).map((t, i) => t - samples[i]!);
    expect(samples.length).toBeGreaterThan(20);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(250);
  });

  it("notes a phase that does not come, says what was there instead, and goes on", async () => {
    const { run, fleet } = stage();
    fleet.deaf = true;
    const results = await run();
    expect(results.map(({ ok }) => ok)).toEqual([true, true, false, true]);
    expect(results[2]?.text).toBe("2/2/2 did not come; seen instead: 3/3, 0 unowned, 0 draining, 0 blocked");
  });

  it("says what was there when the time was up, not what came after it", async () => {
    const { run, fleet } = stage();
    const { reshard } = fleet;
    fleet.reshard = async (target) => {
      await fleet.clock.sleep(61_000);
      await reshard.call(fleet, target);
    };
    const results = await run();
    expect(results[1]?.text).toBe("3/3 did not come; seen instead: 2/2, 0 unowned, 0 draining, 0 blocked");
  });

  it("says so when it came at the very end of the time", async () => {
    const { run, fleet } = stage();
    const { reshard } = fleet;
    fleet.reshard = async (target) => {
      await fleet.clock.sleep(57_000);
      await reshard.call(fleet, target);
    };
    expect((await run())[1]?.text).toBe("3/3 came too late to be seen standing still");
  });

  it("notes a step that breaks in its own words, and goes on", async () => {
    const { run, fleet } = stage();
    fleet.scale = async () => {
      throw new Error("the state machine failed: no room");
    };
    const results = await run();
    expect(results[2]).toEqual({ ok: false, text: "the state machine failed: no room" });
    expect(results[3]?.ok).toBe(true);
  });

  it("leaves split and scale out when nothing is to change", async () => {
    const { run, history } = stage({ splitTo: 4, scaleTo: 2 });
    expect(await run()).toHaveLength(2);
    expect(events(history).map(({ name }) => name)).toEqual(["phase", "phase"]);
  });

  it("keeps the seed's clock when told to", async () => {
    const { run, history } = stage({ timeline: "seed" });
    await run();
    const at = (name: string) => events(history).find((event) => event.name === name)!.t;
    const start = events(history)[0]!.t;
    expect(at("split-requested") - start).toBe(60_000);
    expect(at("scale-requested") - start).toBe(120_000);
    expect(events(history).at(-1)!.t - start).toBe(180_000);
  });

  it("ends at once when it is interrupted", async () => {
    const { run, stop, fleet } = stage();
    fleet.reshard = async () => stop.abort();
    await expect(run()).rejects.toBeInstanceOf(Interrupted);
  });
});
