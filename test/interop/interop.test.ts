/**
 * One lease table, read and written in turn, then together, by real Java KCL and by evenkeel. Steps of one story:
 * each goes on where the one before it ended. What happened stays in `.evenkeel/interop/<KCL version>/`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { classifyRow, encodeLease } from "../../services/consumer/adapters/lease-row.ts";
import { isEnded, type Lease } from "../../services/consumer/core/lease.ts";
import { systemClock } from "../../services/shared/platform.ts";
import {
  buildJavaWorker,
  FAILOVER_MILLIS,
  missingTools,
  type Program,
  startEvenkeel,
  startJava,
  startProducer,
} from "./programs.ts";
import { firstPerShard, readLedger } from "./records.ts";
import { type Rig, type Row, startRig, until } from "./rig.ts";
import { type Usage, usageOver } from "./usage.ts";

const kclVersion = process.env.KCL_VERSION || "2.7.2";
const missing = missingTools();
if (missing !== undefined) console.log(`interop test skipped: ${missing}`);

const USAGE_WINDOW_MILLIS = 45_000;
const SHARED_WINDOW_MILLIS = 60_000;
const DECIMAL = /^\d+$/;

let rig: Rig;
let java: Program;
let evenkeel: Program;
let producer: Program;
const measured: Record<string, unknown> = {};

const keep = (name: string, content: unknown) =>
  writeFileSync(join(rig.folder, `${name}.json`), `${JSON.stringify(content, undefined, 2)}\n`);

const leasesOf = (rows: readonly Row[]): Lease[] =>
  rows.flatMap((row) => {
    const found = classifyRow(row);
    if (found.kind === "corrupt") throw new Error(`${found.leaseKey}: ${found.problem}`);
    return found.kind === "lease" ? [found.lease] : [];
  });

const byKey = (leases: readonly Lease[]) => new Map(leases.map((lease) => [lease.leaseKey, lease]));

/** Every open shard is this worker's and has a checkpoint of its own: it reads them all. */
async function readsAll(worker: string): Promise<Row[]> {
  return until(`${worker} reads and checkpoints every open shard`, async () => {
    if ((worker === java?.name ? java : evenkeel).hasEnded) throw new Error(`${worker} has ended`);
    const rows = await rig.rows();
    const leases = byKey(leasesOf(rows));
    const isRead = (shardId: string) => {
      const lease = leases.get(shardId);
      return lease?.owner === worker && DECIMAL.test(lease.checkpoint.sequenceNumber);
    };
    return (await rig.openShards()).every(isRead) && rows;
  });
}

/** Everything that has been put by now has been processed. */
async function caughtUp(): Promise<void> {
  const wanted = readLedger(rig.historyFolder).puts;
  await until("every record put so far is processed", async () => {
    const stillLost = new Set(readLedger(rig.historyFolder).lost);
    return ![...wanted].some((one) => stillLost.has(one));
  });
}

/** `worker` went on behind the checkpoints of the table it found: `found` are that table's leases. */
function expectContinued(worker: string, found: readonly Lease[]): void {
  const checkpoints = byKey(found);
  const first = firstPerShard(readLedger(rig.historyFolder), worker);
  expect(first.size).toBeGreaterThan(0);
  for (const [shardId, record] of first) {
    const from = checkpoints.get(shardId)?.checkpoint.sequenceNumber ?? "TRIM_HORIZON";
    expect(from, `${shardId} had ended`).not.toBe("SHARD_END");
    if (DECIMAL.test(from)) expect(BigInt(record.sequenceNumber)).toBeGreaterThan(BigInt(from));
  }
}

/** The rows come back as they were from our codec, attributes that it does not name left out. */
function expectRoundTrip(rows: readonly Row[]): void {
  const sorted = (row: Row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, value.SS ? { SS: value.SS.toSorted() } : value]),
    );
  for (const row of rows) {
    const found = classifyRow(row);
    if (found.kind !== "lease") continue;
    const { entityType: _, ...ours } = encodeLease(found.lease);
    expect(sorted(row)).toMatchObject(sorted(ours));
  }
}

describe.skipIf(missing !== undefined)(`a table shared with Java KCL ${kclVersion}`, () => {
  beforeAll(async () => {
    buildJavaWorker(kclVersion);
    rig = await startRig(kclVersion);
  });

  afterAll(async () => {
    if (rig === undefined) return;
    keep("measured", measured);
    console.log(JSON.stringify(measured, undefined, 2));
    await rig.stop();
  });

  it("is made and written by Java, also through a split", async () => {
    producer = startProducer(rig);
    const start = performance.now();
    java = startJava(rig, "java-1");
    await readsAll("java-1");
    measured.javaStartToAllReadMillis = Math.round(performance.now() - start);
    await rig.split("shardId-000000000000");
    const rows = await readsAll("java-1");
    keep("rows-java-running", rows);
    expectRoundTrip(rows);
    const leases = byKey(leasesOf(rows));
    expect(leases.get("shardId-000000000004")?.parentShardIds).toEqual(["shardId-000000000000"]);
  });

  it("is continued by evenkeel where Java stopped, a split in between", async () => {
    measured.javaStopMillis = await java.stop();
    const found = await rig.rows();
    keep("rows-java-stopped", found);
    await rig.split("shardId-000000000001");
    evenkeel = startEvenkeel(rig, "evenkeel-1", "worker");
    const start = performance.now();
    const rows = await readsAll("evenkeel-1");
    measured.evenkeelStartToAllReadMillis = Math.round(performance.now() - start);
    keep("rows-evenkeel-running", rows);
    await caughtUp();
    expectContinued("evenkeel-1", leasesOf(found));
    const leases = byKey(leasesOf(rows));
    for (const child of ["shardId-000000000006", "shardId-000000000007"])
      expect(leases.get(child)?.parentShardIds).toEqual(["shardId-000000000001"]);
    const { repeated, disordered } = readLedger(rig.historyFolder);
    expect({ repeated, disordered }).toEqual({ repeated: [], disordered: [] });
    measured.evenkeel = await usageOver(evenkeel.pid, USAGE_WINDOW_MILLIS);
  });

  it("is continued by Java where evenkeel stopped, a merge in between", async () => {
    measured.evenkeelStopMillis = await evenkeel.stop();
    const found = await rig.rows();
    keep("rows-evenkeel-stopped", found);
    // Java 2.x reads every row of the table as a lease: a clean stop leaves none of ours.
    expect(found.filter((row) => classifyRow(row).kind === "fleet")).toEqual([]);
    // Java leaves itself as the owner of what it ended; the rest is free.
    expect(leasesOf(found).filter((l) => l.owner !== undefined && l.owner !== "java-1")).toEqual([]);
    expect(leasesOf(found).filter((l) => l.owner !== undefined && !isEnded(l))).toEqual([]);
    await rig.merge("shardId-000000000006", "shardId-000000000007");
    const start = performance.now();
    java = startJava(rig, "java-2");
    const rows = await readsAll("java-2");
    measured.javaTakeoverMillis = Math.round(performance.now() - start);
    keep("rows-java-again", rows);
    await caughtUp();
    expectContinued("java-2", leasesOf(found));
    expectRoundTrip(rows);
    expect(byKey(leasesOf(rows)).get("shardId-000000000008")?.parentShardIds).toEqual([
      "shardId-000000000006",
      "shardId-000000000007",
    ]);
    const { repeated, disordered } = readLedger(rig.historyFolder);
    expect({ repeated, disordered }).toEqual({ repeated: [], disordered: [] });
    expect(java.problems()).not.toMatch(/deserializ|NullPointer|Exception/i);
    measured.java = await usageOver(java.pid, USAGE_WINDOW_MILLIS);
    const ours = measured.evenkeel as Usage;
    const theirs = measured.java as Usage;
    expect(ours.residentMebibytes).toBeLessThan(theirs.residentMebibytes);
  });

  it("is shared with a Java worker that stays", async () => {
    evenkeel = startEvenkeel(rig, "evenkeel-2", "lease");
    const samples: Record<string, number>[] = [];
    const start = systemClock.monotonicMillis();
    while (systemClock.monotonicMillis() - start < SHARED_WINDOW_MILLIS) {
      const leases = leasesOf(await rig.rows()).filter((l) => !isEnded(l));
      const counts: Record<string, number> = {
        second: Math.round((systemClock.monotonicMillis() - start) / 1_000),
      };
      for (const lease of leases)
        counts[lease.owner ?? "nobody"] = (counts[lease.owner ?? "nobody"] ?? 0) + 1;
      samples.push(counts);
      await systemClock.sleep(1_000);
    }
    keep("shared-samples", samples);
    keep("rows-shared", await rig.rows());
    measured.shared = samples.filter((_, index) => index % 10 === 0 || index === samples.length - 1);
    expect([java.hasEnded, evenkeel.hasEnded]).toEqual([false, false]);
    const last = samples.slice(-Math.ceil((3 * FAILOVER_MILLIS) / 1_000));
    expect(
      new Set(last.map((s) => `${s["java-2"]}/${s["evenkeel-2"]}`)).size,
      "nobody steals to and fro",
    ).toBe(1);
    expect(last[0]!["java-2"]).toBeGreaterThan(0);
    expect(last[0]!["evenkeel-2"]).toBeGreaterThan(0);
  });

  it("is taken over by the Java worker when evenkeel crashes", async () => {
    expect(java.problems()).not.toMatch(/deserializ|NullPointer|Exception/i);
    const start = performance.now();
    evenkeel.kill();
    await readsAll("java-2");
    measured.javaTakeoverAfterCrashMillis = Math.round(performance.now() - start);
    keep("rows-evenkeel-crashed", await rig.rows());
    expect(java.problems()).not.toMatch(/deserializ|NullPointer|Exception/i);
  });

  it("has lost nothing in the end", async () => {
    await producer.stop();
    await caughtUp();
    measured.javaStopAtEndMillis = await java.stop();
    const { puts, lost, repeated, disordered } = readLedger(rig.historyFolder);
    measured.records = { put: puts.size, lost: lost.length, repeated: repeated.length };
    expect({ lost, disordered }).toEqual({ lost: [], disordered: [] });
  });
});
