/**
 * One lease table, read and written in turn, then together, by real Java KCL and by evenkeel. The tests are
 * steps of one story: each continues where the previous one ended. The results stay in
 * `.evenkeel/interop/<KCL version>/`.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APPLICATION_ROW_KEY } from "../../src/adapters/dynamodb/application-row.ts";
import { kclAttributes } from "../../src/adapters/dynamodb/kcl-attributes.ts";
import { classifyRow, encodeLease } from "../../src/adapters/dynamodb/lease-row.ts";
import { fleetRowKey } from "../../src/adapters/dynamodb/own-rows.ts";
import { isEnded, type Lease } from "../../src/core/lease.ts";
import { systemClock } from "../../src/platform.ts";
import { leasesSeenByLeader, removedOfOurs, troubleIn } from "./java-log.ts";
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

const [major = 0, minor = 0] = kclVersion.split(".").map(Number);
/** Older versions take every row of the table for a lease. */
const knowsEntityTypes = major > 3 || (major === 3 && minor >= 5);

const USAGE_WINDOW_MILLIS = 45_000;
/** In this time Java's lease taker makes five passes: workers that steal from each other do so in these. */
const STEADY_MILLIS = 10 * FAILOVER_MILLIS;
/** Passes of KCL 3's leader, twice the failover time each: two minutes. */
const STANDING_PASSES = 15;
/** KCL 2 cleans up finished leases once a minute, at the earliest five minutes after its start. */
const STANDING_PATIENCE_MILLIS = 480_000;
const DECIMAL = /^\d+$/;

/**
 * A row of evenkeel's that no heartbeat moves, like the application row, beside the fleet row of a fleet that
 * crashed.
 */
const standingRow: Row = {
  leaseKey: { S: "evenkeel-standing" },
  ...kclAttributes(),
  streamArn: { S: "arn:aws:kinesis:us-east-1:000000000000:stream/interop" },
  streamCreatedMillis: { N: "1764000000000" },
  initialPosition: { S: "LATEST" },
  startMillis: { N: "1764000000000" },
  isClearing: { BOOL: false },
};

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

const ours = (rows: readonly Row[]): Row[] => rows.filter((row) => row.leaseKey?.S?.startsWith("evenkeel-"));

const byKey = (leases: readonly Lease[]) => new Map(leases.map((lease) => [lease.leaseKey, lease]));

/** Waits until this worker owns every open shard and has written a checkpoint of each: it reads them all. */
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

/** Both have leases, and for a while neither takes one from the other. @returns how that came about */
async function steadySplit(worker: string): Promise<Record<string, unknown>[]> {
  const start = systemClock.monotonicMillis();
  const history: { afterMillis: number; java: number; evenkeel: number }[] = [];
  await until(`java-2 and ${worker} share the leases, and neither steals`, async () => {
    const leases = leasesOf(await rig.rows()).filter((lease) => !isEnded(lease));
    const owned = (by: string) => leases.filter((lease) => lease.owner === by).length;
    const now = { java: owned("java-2"), evenkeel: owned(worker) };
    const last = history.at(-1);
    const afterMillis = Math.round(systemClock.monotonicMillis() - start);
    if (last?.java !== now.java || last.evenkeel !== now.evenkeel) history.push({ afterMillis, ...now });
    const steadyMillis = afterMillis - history.at(-1)!.afterMillis;
    return now.java > 0 && now.evenkeel > 0 && steadyMillis >= STEADY_MILLIS;
  });
  return history;
}

/** Waits until every record that was put so far has been processed. */
async function caughtUp(): Promise<void> {
  const wanted = readLedger(rig.historyFolder).puts;
  await until("every record put so far is processed", async () => {
    const stillLost = new Set(readLedger(rig.historyFolder).lost);
    return ![...wanted].some((one) => stillLost.has(one));
  });
}

/** `worker` continued after the checkpoints of the table that it found: `found` are that table's leases. */
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

/** evenkeel's codec returns the rows unchanged, except for attributes that it does not name. */
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
    await rig.put(standingRow);
    await rig.split("shardId-000000000000");
    const rows = await readsAll("java-1");
    keep("rows-java-running", rows);
    expectRoundTrip(rows);
    const leases = byKey(leasesOf(rows));
    expect(leases.get("shardId-000000000004")?.parentShardIds).toEqual(["shardId-000000000000"]);
    expect(troubleIn(java.log())).toEqual([]);
  });

  it("is continued by evenkeel where Java stopped, a split in between", async () => {
    measured.javaStopMillis = await java.stop();
    await rig.put(standingRow);
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
    // A clean stop leaves no fleet row, and evenkeel's other rows unchanged.
    expect(found.filter((row) => classifyRow(row).kind === "fleet")).toEqual([]);
    expect(found).toContainEqual(standingRow);
    // Java stays the owner of the leases that it ended; the rest are free.
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
    expect(troubleIn(java.log())).toEqual([]);
    measured.java = await usageOver(java.pid, USAGE_WINDOW_MILLIS);
    const [evenkeels, javas] = [measured.evenkeel as Usage, measured.java as Usage];
    expect(evenkeels.residentMebibytes).toBeLessThan(javas.residentMebibytes);
  });

  it("is shared with a Java worker that stays", async () => {
    evenkeel = startEvenkeel(rig, "evenkeel-2", "lease");
    measured.shared = await steadySplit("evenkeel-2");
    keep("rows-shared", await rig.rows());
    expect([java.hasEnded, evenkeel.hasEnded]).toEqual([false, false]);
  });

  it("is taken over by the Java worker when evenkeel crashes", async () => {
    expect(troubleIn(java.log())).toEqual([]);
    await rig.put(standingRow);
    const start = performance.now();
    evenkeel.kill();
    await readsAll("java-2");
    measured.javaTakeoverAfterCrashMillis = Math.round(performance.now() - start);
    keep("rows-evenkeel-crashed", await rig.rows());
    expect(troubleIn(java.log())).toEqual([]);
  });

  it.runIf(knowsEntityTypes)(
    "keeps rows of ours that stand still: Java's leader never counts them",
    async () => {
      const standing = ours(await rig.rows());
      expect(standing.map((row) => row.leaseKey?.S)).toContain(fleetRowKey(0));
      expect(standing).toContainEqual(standingRow);
      const before = leasesSeenByLeader(java.log()).length;
      await until("Java's leader makes its passes", async () => {
        return leasesSeenByLeader(java.log()).length >= before + STANDING_PASSES;
      });
      const rows = await rig.rows();
      expect(ours(rows)).toEqual(standing);
      expect(leasesSeenByLeader(java.log()).at(-1)).toBe(leasesOf(rows).length);
      measured.standing = { passes: leasesSeenByLeader(java.log()).length - before };
    },
  );

  it.skipIf(knowsEntityTypes)(
    "gives rows of ours that stand still to Java, for finished leases",
    async () => {
      const start = performance.now();
      await until("Java takes them", async () =>
        ours(await rig.rows()).every((row) => row.leaseOwner?.S === "java-2"),
      );
      measured.standing = { takenMillis: Math.round(performance.now() - start) };
    },
  );

  it("is shared again when evenkeel comes back", async () => {
    await readsAll("java-2");
    expect(troubleIn(java.log())).toEqual([]);
    evenkeel = startEvenkeel(rig, "evenkeel-3", "lease");
    measured.sharedAgain = await steadySplit("evenkeel-3");
    await caughtUp();
    keep("rows-shared-again", await rig.rows());
    expect(troubleIn(java.log())).toEqual([]);
  });

  it.skipIf(knowsEntityTypes)("survives Java's clean-up, which removes the fleet row even now", async () => {
    const repeated = readLedger(rig.historyFolder).repeated.length;
    const fleetRow = fleetRowKey(0);
    await until(
      "Java removes it",
      async () => removedOfOurs(java.log()).includes(fleetRow),
      STANDING_PATIENCE_MILLIS,
    );
    await until("evenkeel writes it anew", async () =>
      (await rig.rows()).some((row) => row.leaseKey?.S === fleetRow && row.members?.M?.["evenkeel-3"]),
    );
    await until("the application's row is there, whatever Java removed", async () =>
      (await rig.rows()).some((row) => row.leaseKey?.S === APPLICATION_ROW_KEY),
    );
    await caughtUp();
    keep("rows-cleaned-up", await rig.rows());
    expect([java.hasEnded, evenkeel.hasEnded]).toEqual([false, false]);
    expect(readLedger(rig.historyFolder).repeated).toHaveLength(repeated);
    expect(troubleIn(java.log())).toEqual([]);
  });

  it("is taken over by evenkeel when Java stops", async () => {
    const start = performance.now();
    measured.javaStopAtEndMillis = await java.stop();
    await readsAll("evenkeel-3");
    measured.evenkeelTakeoverMillis = Math.round(performance.now() - start);
  });

  it("has lost nothing in the end", async () => {
    await producer.stop();
    await caughtUp();
    measured.evenkeelStopAtEndMillis = await evenkeel.stop();
    const rows = await rig.rows();
    keep("rows-end", rows);
    // An older Java has taken the other row, and perhaps removed it.
    expect(rows.filter((row) => classifyRow(row).kind === "fleet")).toEqual([]);
    if (knowsEntityTypes) expect(rows).toContainEqual(standingRow);
    const { puts, lost, repeated, disordered } = readLedger(rig.historyFolder);
    measured.records = { put: puts.size, lost: lost.length, repeated: repeated.length };
    expect({ lost, disordered }).toEqual({ lost: [], disordered: [] });
  });
});
