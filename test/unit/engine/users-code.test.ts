/**
 * The user's code at its worst, in a whole worker: hooks that hang, `onEvent` that throws, handlers that
 * never end, and a stop meanwhile.
 */
import { describe, expect, it } from "vitest";
import type { Coordinator } from "../../../src/engine/coordinator.ts";
import type { EngineOptions, WorkerEvent } from "../../../src/engine/engine-context.ts";
import { Cluster, type SimWorker } from "../../simulation/cluster.ts";
import { coordinatorOn } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";
import type { Swarm } from "../../simulation/swarm.ts";

const never = () => new Promise<void>(() => undefined);

/** Worker "a" runs the user's code under test. */
class Fleet {
  readonly cluster: Cluster;
  readonly said: { readonly level: string; readonly message: string }[] = [];
  readonly #engines = new Map<string, Coordinator>();

  constructor(swarm: Partial<Swarm>, ofA: Partial<EngineOptions>, stopBudgetMillis = 25_000) {
    this.cluster = new Cluster(faultFreeSwarm(swarm), (ports, options) => {
      const log: typeof options.log = (level, message) => {
        if (options.workerId === "a" && (level === "warn" || level === "error"))
          this.said.push({ level, message });
      };
      const engine = coordinatorOn(ports, { ...options, log }, options.workerId === "a" ? ofA : {});
      this.#engines.set(options.workerId, engine);
      return {
        start: () => engine.start(),
        stop: async () => {
          const left = await engine.stop(stopBudgetMillis);
          return left.length === 0 ? undefined : left.join(" ");
        },
      };
    });
  }

  engine(id: string): Coordinator {
    return this.#engines.get(id)!;
  }

  worker(id: string): SimWorker {
    return this.cluster.workers.find((worker) => worker.id === id)!;
  }

  async run(millis: number, putsASecond = 0): Promise<void> {
    const { cluster } = this;
    for (const end = cluster.scheduler.now + millis; cluster.scheduler.now < end; ) {
      cluster.putSome(putsASecond);
      await cluster.scheduler.run(Math.min(end, cluster.scheduler.now + 1_000));
    }
  }

  /** Whether the worker looks alive to the others: an active entry whose heartbeat moves. */
  async heartbeats(id: string): Promise<boolean> {
    const entry = () =>
      this.cluster.table
        .fleetRows()
        .flatMap((fleetRow) => fleetRow.members)
        .find(({ workerId }) => workerId === id);
    const before = entry()?.heartbeat;
    await this.run(15_000);
    return entry()?.state === "active" && entry()?.heartbeat !== before;
  }

  async pause(id: string, millis: number): Promise<void> {
    this.worker(id).process.pause();
    await this.run(millis, 10);
    this.worker(id).process.resume();
  }

  owned(id: string): number {
    return this.cluster.table.leases().filter(({ owner }) => owner === id).length;
  }
}

describe("a hook that never resolves", () => {
  it.each<[string, EngineOptions["hooks"]]>([
    ["leaseLost", { leaseLost: never }],
    ["shardEnded", { shardEnded: never }],
    ["shutdownRequested", { shutdownRequested: never }],
  ])(
    "%s: the worker beats on after a split and a pause, joins anew, and stops within its budget",
    async (_, hooks) => {
      const fleet = new Fleet({ shards: 4 }, { hooks });
      fleet.cluster.startWorker("a");
      fleet.cluster.startWorker("b");
      await fleet.run(20_000, 10);
      for (const { shard } of fleet.cluster.stream.openShards().slice(0, 2))
        fleet.cluster.stream.split(shard.shardId);
      await fleet.run(30_000, 10);
      expect(await fleet.heartbeats("a")).toBe(true);
      await fleet.pause("a", 20_000);
      await fleet.run(60_000, 10);
      expect(await fleet.heartbeats("a")).toBe(true);
      fleet.cluster.stopWorker(fleet.worker("a"));
      await fleet.run(32_000);
      expect(fleet.worker("a").state).toBe("stopped");
      expect(fleet.said.length).toBeGreaterThan(0);
    },
  );
});

describe("onEvent that throws", () => {
  it.each<[string, (event: WorkerEvent) => unknown]>([
    [
      "always",
      () => {
        throw new TypeError("metrics is undefined");
      },
    ],
    [
      "later, as an async function",
      async () => {
        throw new TypeError("metrics is undefined");
      },
    ],
  ])("%s: is logged once a minute, and changes nothing else", async (_, observe) => {
    const fleet = new Fleet({ shards: 2 }, { observe: observe as EngineOptions["observe"] });
    fleet.cluster.startWorker("a");
    await fleet.run(30_000, 10);
    expect(
      fleet
        .engine("a")
        .status()
        .leases.map(({ state }) => state),
    ).toEqual(["reading", "reading"]);
    expect(fleet.said.map(({ message }) => message)).toEqual([expect.stringContaining("onEvent failed")]);
    expect(fleet.cluster.history.handled.size).toBeGreaterThan(100);
    fleet.cluster.stopWorker(fleet.worker("a"));
    await fleet.run(5_000);
    expect(fleet.worker("a").state).toBe("stopped");
    expect(fleet.cluster.table.leases().map(({ owner }) => owner)).toEqual([undefined, undefined]);
    expect(fleet.cluster.escaped).toEqual([]);
  });
});

describe("a stop", () => {
  it("while cut off hands no stale batch out: its leases have other owners", async () => {
    const handedOut: number[] = [];
    const fleet = new Fleet(
      { shards: 4 },
      { processRecords: () => void handedOut.push(fleet.cluster.scheduler.now) },
      5_000,
    );
    fleet.cluster.startWorker("a");
    fleet.cluster.startWorker("b");
    await fleet.run(10_000, 5);
    fleet.worker("a").network.store.partitioned = true;
    await fleet.run(60_000, 5);
    const stoppedAt = fleet.cluster.scheduler.now;
    fleet.cluster.stopWorker(fleet.worker("a"));
    await fleet.run(30_000, 5);
    expect(handedOut.length).toBeGreaterThan(0);
    expect(handedOut.filter((at) => at >= stoppedAt)).toEqual([]);
  });

  it("whose budget is spent releases the lease at what the handler has finished, not at the last write", async () => {
    let finished: string | undefined;
    let calls = 0;
    const fleet = new Fleet(
      { shards: 1, maxRecords: 10 },
      {
        processRecords: async ({ records }) => {
          calls += 1;
          if (calls > 8) await never();
          finished = records.at(-1)?.sequenceNumber;
        },
      },
      1_000,
    );
    fleet.cluster.startWorker("a");
    await fleet.run(12_000);
    fleet.cluster.putSome(400);
    await fleet.run(2_500);
    const [row] = fleet.cluster.table.leases();
    expect(row?.checkpoint.sequenceNumber).not.toBe(finished);
    fleet.cluster.stopWorker(fleet.worker("a"));
    await fleet.run(20_000);
    const [released] = fleet.cluster.table.leases();
    expect(released).toMatchObject({ owner: undefined, checkpoint: { sequenceNumber: finished } });
  });

  it("comes at once where a downstream is down: what is left waits for the next owner", async () => {
    const fleet = new Fleet(
      { shards: 2 },
      {
        processRecords: () => {
          throw new Error("down");
        },
      },
    );
    fleet.cluster.startWorker("a");
    await fleet.run(300_000, 5);
    expect(
      fleet
        .engine("a")
        .status()
        .leases.map(({ activity }) => activity.kind),
    ).toEqual(["retrying", "retrying"]);
    fleet.cluster.stopWorker(fleet.worker("a"));
    await fleet.run(3_000);
    expect(fleet.worker("a").state).toBe("stopped");
    expect(fleet.owned("a")).toBe(0);
  });
});

describe("manual checkpoints at a shard's end", () => {
  it("what was not checkpointed comes again after a crash: SHARD_END does not stand over it", async () => {
    const given: string[] = [];
    const manual: Partial<EngineOptions> = {
      checkpointMode: "manual",
      processRecords: ({ records }) =>
        void given.push(...records.map(({ sequenceNumber }) => sequenceNumber)),
    };
    const fleet = new Fleet({ shards: 1 }, manual);
    fleet.cluster.putSome(100);
    fleet.cluster.startWorker("a");
    await fleet.run(5_000);
    const [parent] = fleet.cluster.stream.openShards();
    fleet.cluster.stream.split(parent!.shard.shardId);
    await fleet.run(60_000);
    const inParent = given.length;
    expect(inParent).toBeGreaterThanOrEqual(100);
    expect(fleet.cluster.table.lease(parent!.shard.shardId)?.checkpoint.sequenceNumber).toBe("TRIM_HORIZON");
    expect(fleet.said.map(({ message }) => message)).toEqual([
      expect.stringContaining("call checkpoint in shardEnded"),
    ]);
    fleet.cluster.crash(fleet.worker("a"));
    fleet.cluster.startWorker("b");
    await fleet.run(60_000);
    expect(fleet.cluster.history.handled.size).toBe(inParent);
  });
});

describe("worker.resume", () => {
  it("makes a halted shard go on; of a shard that is not held or not halted it says false", async () => {
    let isMended = false;
    const fleet = new Fleet(
      { shards: 1 },
      {
        retry: { maxAttempts: 3 },
        processRecords: () => {
          if (!isMended) throw new Error("bad");
        },
      },
    );
    fleet.cluster.startWorker("a");
    await fleet.run(5_000, 5);
    await fleet.run(20_000);
    const status = () => fleet.engine("a").status().leases[0]!;
    expect(status().state).toBe("halted");
    isMended = true;
    expect(fleet.engine("a").resume(status().leaseKey)).toBe(true);
    await fleet.run(100);
    expect(status().state).toBe("reading");
    expect(fleet.engine("a").resume(status().leaseKey)).toBe(false);
    expect(fleet.engine("a").resume("shardId-000000009999")).toBe(false);
  });
});
