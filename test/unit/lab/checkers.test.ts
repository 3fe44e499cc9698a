import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CheckResult, check, experimentCheckers } from "../../../lab/checkers/index.ts";
import type { HistoryEvent } from "../../../services/contract/history.ts";
import { START, type SyntheticOptions, settingsOf, syntheticHistory } from "./synthetic-history.ts";

type RecordLine = Extract<HistoryEvent, { type: "record" }>;
type BatchLine = Extract<HistoryEvent, { type: "batch" }>;

const SMALL: SyntheticOptions = {
  seed: 1,
  shards: 6,
  splitTo: 9,
  pods: 2,
  scaleTo: 3,
  rate: 60,
  keys: 30,
  phaseMillis: 4_000,
  kill: false,
};

const fleets = fc
  .record({
    seed: fc.nat(),
    shards: fc.integer({ min: 2, max: 12 }),
    splits: fc.nat({ max: 12 }),
    pods: fc.integer({ min: 2, max: 4 }),
    added: fc.nat({ max: 2 }),
    kill: fc.boolean(),
  })
  .map(
    ({ seed, shards, splits, pods, added, kill }): SyntheticOptions => ({
      ...SMALL,
      seed,
      shards,
      // No more than the cap of ten per worker allows.
      splitTo: Math.min(shards + Math.min(splits, shards), 10 * pods),
      pods,
      scaleTo: pods + added,
      kill,
    }),
  );

const mutable = fc.record({ options: fleets, at: fc.double({ min: 0.05, max: 0.95, noNaN: true }) });

function verdicts(history: readonly HistoryEvent[], options: SyntheticOptions): Map<string, CheckResult> {
  const ordered = history.toSorted((a, b) => a.t - b.t);
  return new Map(
    check(ordered, experimentCheckers(settingsOf(options))).map((result) => [result.name, result]),
  );
}

const failing = (results: ReadonlyMap<string, CheckResult>): string[] =>
  [...results.values()].filter(({ verdict }) => verdict.kind !== "valid").map(({ name }) => name);

function witnessOf(results: ReadonlyMap<string, CheckResult>, name: string) {
  const verdict = results.get(name)?.verdict;
  return verdict?.kind === "invalid" ? verdict.witnesses[0] : undefined;
}

const recordsOf = (history: readonly HistoryEvent[]) =>
  history.filter((e): e is RecordLine => e.type === "record");
const pick = <T>(items: readonly T[], at: number): T => items[Math.floor(at * items.length)] as T;
const RUNS = { numRuns: 25 };

describe("a correct history", () => {
  it("is valid for every checker, whatever the fleet did", () => {
    return fc.assert(
      fc.property(fleets, (options) => {
        expect(failing(verdicts(syntheticHistory(options), options))).toEqual([]);
      }),
      RUNS,
    );
  });
});

describe("a damaged history", () => {
  it("that misses a processed record: nothing lost names it", () => {
    return fc.assert(
      fc.property(mutable, ({ options, at }) => {
        const history = syntheticHistory({ ...options, kill: false });
        const gone = pick(recordsOf(history), at);
        const results = verdicts(
          history.filter((event) => event !== gone),
          options,
        );
        expect(failing(results)).toEqual(["nothing lost"]);
        expect(witnessOf(results, "nothing lost")).toMatchObject({
          key: gone.key,
          n: gone.n,
          shardId: gone.shardId,
        });
      }),
      RUNS,
    );
  });

  it("in which a record is processed again: nothing doubled names record, shard and worker", () => {
    return fc.assert(
      fc.property(mutable, ({ options, at }) => {
        const history = syntheticHistory({ ...options, kill: false });
        const once = pick(recordsOf(history), at);
        const results = verdicts(
          [...history, { ...once, t: once.t + 700, worker: "somebody-else" }],
          options,
        );
        expect(failing(results)).toEqual(["nothing doubled"]);
        const { key, n, shardId } = once;
        expect(witnessOf(results, "nothing doubled")).toMatchObject({
          key,
          n,
          shardId,
          worker: "somebody-else",
        });
      }),
      RUNS,
    );
  });

  it("in which two records of a key change places: order per key names the late one", () => {
    return fc.assert(
      fc.property(mutable, ({ options, at }) => {
        const history = syntheticHistory({ ...options, kill: false });
        const later = pick(
          recordsOf(history).filter(({ n }) => n > 1),
          at,
        );
        const early = recordsOf(history).find(
          ({ key, n }) => key === later.key && n === later.n - 1,
        ) as RecordLine;
        const results = verdicts(
          history.map((event) =>
            event === later
              ? { ...early, t: later.t + 1, worker: later.worker }
              : event === early
                ? { ...later, t: early.t }
                : event,
          ),
          options,
        );
        expect(failing(results)).toEqual(["order per key"]);
        expect(witnessOf(results, "order per key")).toMatchObject({ key: early.key, n: early.n });
      }),
      RUNS,
    );
  });

  it("in which a second worker processes a shard at the same time: one owner at a time names both", () => {
    return fc.assert(
      fc.property(mutable, ({ options, at }) => {
        const history = syntheticHistory({ ...options, kill: false });
        const batches = history.filter((e): e is BatchLine => e.type === "batch" && e.count > 0);
        const batch = pick(batches, at);
        const results = verdicts([...history, { ...batch, worker: "intruder", t: batch.t + 1 }], options);
        expect(failing(results)).toEqual(["one owner at a time"]);
        const witness = witnessOf(results, "one owner at a time");
        expect(witness).toMatchObject({ shardId: batch.shardId, worker: "intruder" });
        expect(witness?.text).toContain(batch.worker);
      }),
      RUNS,
    );
  });

  it("in which the old owner reads on after its hand-over: one owner at a time names it", () => {
    const history = syntheticHistory(SMALL);
    const given = history.find((e) => e.type === "lease" && e.action === "handed-over");
    if (given?.type !== "lease") throw new Error("the synthetic history has a hand-over");
    const read = {
      type: "batch",
      t: given.t + 4,
      readAt: given.t + 2,
      worker: given.worker,
      shardId: given.leaseKey,
      count: 1,
    } as const;
    const results = verdicts([...history, read], SMALL);
    expect(failing(results)).toEqual(["one owner at a time"]);
    expect(witnessOf(results, "one owner at a time")).toMatchObject({
      shardId: given.leaseKey,
      worker: given.worker,
    });
  });

  it("in which a child is read while its parent is being processed: the lineage checker names the child", () => {
    return fc.assert(
      fc.property(mutable, ({ options, at }) => {
        const split = { ...options, kill: false, splitTo: options.shards + 1 };
        const history = syntheticHistory(split);
        const listed = history.find((e) => e.type === "event" && e.name === "split-done");
        if (listed?.type !== "event") throw new Error("the synthetic history has a split");
        const child = pick(Object.keys(listed.parents as object), at);
        const early = {
          type: "batch",
          t: START + 1_400,
          readAt: START + 1_390,
          worker: "eager",
          shardId: child,
          count: 1,
        } as const;
        const results = verdicts([...history, early], split);
        expect(failing(results)).toContain("parents before children");
        expect(witnessOf(results, "parents before children")).toMatchObject({
          shardId: child,
          worker: "eager",
        });
      }),
      RUNS,
    );
  });

  it("whose last sample shows a shard without owner: nothing unowned names the shard, and the spread is wrong", () => {
    const history = syntheticHistory(SMALL).map((event) => ({ ...event }));
    const last = history.findLast((e) => e.type === "leases");
    if (last?.type !== "leases") throw new Error("the synthetic history has samples");
    last.owners = { ...last.owners, "shardId-000000000005": null };
    const results = verdicts(history, SMALL);
    expect(failing(results)).toEqual(["no shard unowned", "convergence"]);
    expect(witnessOf(results, "no shard unowned")).toMatchObject({ shardId: "shardId-000000000005" });
  });

  it("in which the children's leases appear late: children detected names each of them", () => {
    const listed = START + SMALL.phaseMillis;
    const results = verdicts(
      syntheticHistory(SMALL).map((event) =>
        event.type === "event" && event.name === "split-done" ? { ...event, t: event.t - 5_500 } : event,
      ),
      SMALL,
    );
    expect(failing(results)).toContain("children detected");
    expect(witnessOf(results, "children detected")?.t).toBeLessThan(listed);
  });

  it("that repeats more after a kill -9 than since the last checkpoint: nothing doubled fails", () => {
    const options = { ...SMALL, kill: true };
    const history = syntheticHistory(options);
    const killed = history.find((e) => e.type === "event" && e.name === "task-killed");
    const victim = killed?.type === "event" ? killed.worker : undefined;
    const takenOver = history.find(
      (e) => e.type === "lease" && e.action === "claimed" && e.reason.startsWith("expired"),
    );
    if (takenOver?.type !== "lease") throw new Error("the synthetic history has a take-over");
    const { leaseKey, worker, t } = takenOver;
    const old = recordsOf(history).find((e) => e.worker === victim && e.shardId === leaseKey) as RecordLine;
    expect(failing(verdicts(history, options))).toEqual([]);
    // It was processed and checkpointed long before the kill.
    const longAgo = history.map((event) => (event === old ? { ...old, t: t - 60_000 } : event));
    expect(failing(verdicts([...longAgo, { ...old, worker, t: t + 500 }], options))).toContain(
      "nothing doubled",
    );
  });
});

describe("a history that does not tell", () => {
  it("is unknown, which is not ok", () => {
    const results = check([], experimentCheckers(settingsOf(SMALL)));
    const unknown = results.filter(({ verdict }) => verdict.kind === "unknown").map(({ name }) => name);
    expect(unknown).toEqual([
      "one owner at a time",
      "nothing lost",
      "nothing doubled",
      "order per key",
      "no shard unowned",
      "initial distribution",
      "children detected",
      "convergence",
    ]);
  });

  it("of parents leaves the lineage unknown after a reshard", () => {
    const history = syntheticHistory(SMALL).map(
      (event): HistoryEvent =>
        event.type === "event" && event.name === "split-done" ? { ...event, parents: {} } : event,
    );
    expect(verdicts(history, SMALL).get("parents before children")?.verdict.kind).toBe("unknown");
  });
});

describe("what is the stream's own doing", () => {
  it("a record put twice (two sequence numbers) and processed twice is no duplicate, but noted", () => {
    const history = syntheticHistory(SMALL);
    const once = pick(recordsOf(history), 0.5);
    const again = { ...once, t: once.t + 500, sequenceNumber: `${once.sequenceNumber}9` };
    const verdict = verdicts([...history, again], SMALL).get("nothing doubled")?.verdict;
    expect(verdict).toMatchObject({
      kind: "valid",
      note: expect.stringContaining("1 are in the stream twice"),
    });
  });
});
