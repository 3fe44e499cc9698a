/** A row's verdict, from its history, its log lines and the row's own observations. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { keyOrder, lineage, nothingLost, oneOwner, type Verdict } from "../../lab/checkers/index.ts";
import { mergeHistory } from "../../lab/history/merge.ts";
import type { FleetUnderTest } from "./fleet.ts";
import { RepeatCounter } from "./repeats.ts";
import type { Figures, Row, RowCheck } from "./row.ts";
import { firstSaid, readLogs, saidChecks } from "./said.ts";
import { historyFolder } from "./site.ts";
import { Waits } from "./waits.ts";

const RECOVERY_BEYOND_FAILOVER_MILLIS = 5_000;
/** Needed one after the other to take a shard over: the heartbeats read, the claim, an iterator, a read. */
const CALLS_OF_A_TAKEOVER = 4;

export interface Evidence {
  readonly row: Row;
  readonly fleet: FleetUnderTest;
  readonly folder: string;
  readonly rate: number;
  readonly checkpointIntervalMillis: number;
  /** The slowest answer of the endpoint to a caller without faults, since healing: long on a busy machine. */
  readonly slowestAnswerMillis: number;
}

export async function judge(evidence: Evidence): Promise<{ checks: RowCheck[]; figures: Figures }> {
  const { row, fleet, folder, checkpointIntervalMillis } = evidence;
  const lost = nothingLost();
  const order = [keyOrder(), lineage()];
  const owner = oneOwner();
  const repeats = new RepeatCounter();
  const waits = new Waits();
  const historyDirectory = historyFolder(folder);
  const files = readdirSync(historyDirectory).map((name) => join(historyDirectory, name));
  const notes = await mergeHistory(files, join(folder, "history.jsonl"), (event) => {
    for (const one of [lost, owner, ...order, repeats, waits]) one.observe(event);
  });
  // A checkpoint that is due takes a moment; a batch in flight is a second's worth.
  const counted = repeats.result(fleet.excuses, checkpointIntervalMillis + 2_000);
  const healedAt = fleet.healedAt ?? 0;
  const longest = waits.longest(healedAt);
  const lines = readLogs(folder);
  const said = firstSaid(lines, fleet, row);
  const orderVerdicts = order.map((checker) => checker.verdict());

  const checks: RowCheck[] = [
    { name: "history readable", expected: 0, actual: notes.corruptLines, ok: notes.corruptLines === 0 },
    checkOf("lost", lost.verdict()),
    ...doubledChecks(evidence, counted),
    checkOf("one owner at a time", owner.verdict()),
    ...order.map((checker, i) => checkOf(checker.name, orderVerdicts[i] as Verdict)),
    ...(longest === undefined ? [] : [waitCheck(evidence, longest)]),
    ...saidChecks(row, lines, said),
    ...fleet.checks,
  ];
  const figures: Figures = {
    put: waits.put,
    lost: totalOf(lost.verdict()),
    doubled: counted.total,
    doubledBecause: counted.total === 0 || row.expects.doubled === 0 ? "" : row.expects.doubled.because,
    disordered: orderVerdicts.reduce((sum, verdict) => sum + totalOf(verdict), 0),
    longestWaitMillis: longest?.millis ?? null,
    halted: waits.halted,
    unansweredPuts: waits.unansweredPuts,
    slowestAnswerMillis: Math.round(evidence.slowestAnswerMillis),
    said: said ?? null,
  };
  return { checks, figures };
}

const totalOf = (verdict: Verdict): number => (verdict.kind === "invalid" ? verdict.total : 0);

function checkOf(name: string, verdict: Verdict): RowCheck {
  if (verdict.kind === "valid") return { name, expected: 0, actual: verdict.actual, ok: true };
  if (verdict.kind === "unknown") return { name, expected: 0, actual: `unknown: ${verdict.why}`, ok: false };
  return { name, expected: 0, actual: `${verdict.actual}: ${verdict.witnesses[0]?.text}`, ok: false };
}

function doubledChecks(
  { row, rate }: Evidence,
  counted: { total: number; unexplained: number; examples: readonly string[] },
): RowCheck[] {
  const { doubled } = row.expects;
  const examples = counted.examples.length > 0 ? `: ${counted.examples[0]}` : "";
  if (doubled === 0) {
    const { total } = counted;
    return [{ name: "doubled", expected: 0, actual: `${total}${examples}`, ok: total === 0 }];
  }
  // Half as much again: keys are not spread evenly over shards, nor shards over workers.
  const most = Math.ceil((1.5 * rate * doubled.seconds * doubled.workers) / (row.workers ?? 4));
  const fits = counted.total <= most;
  return [
    {
      name: "doubled without a reason",
      expected: 0,
      actual: `${counted.unexplained}${examples}`,
      ok: counted.unexplained === 0,
    },
    { name: "doubled", expected: `≤ ${most}: ${doubled.because}`, actual: counted.total, ok: fits },
  ];
}

function waitCheck(
  { row, fleet, slowestAnswerMillis }: Evidence,
  { millis, shardId }: { millis: number; shardId: string },
): RowCheck {
  const failover = Math.max(fleet.failoverTimeMillis, ...(row.failoverTimesMillis ?? []));
  const bound = failover + RECOVERY_BEYOND_FAILOVER_MILLIS + fleet.pauseMillis;
  // On a busy machine the fleet cannot be faster than the endpoint. On a quiet one this adds some
  // milliseconds.
  const endpoint = Math.round(CALLS_OF_A_TAKEOVER * slowestAnswerMillis);
  return {
    name: "longest wait after healing",
    expected: `≤ ${bound} ms, and ${endpoint} ms for the endpoint's own answers`,
    actual: `${millis} ms (${shardId})`,
    ok: millis <= bound + endpoint,
  };
}
