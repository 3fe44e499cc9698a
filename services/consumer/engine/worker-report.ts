/** What a worker says of itself: its state, its health, and the metrics of each heartbeat (KCL's names where it has them). */
import type { ErrorClass } from "../core/error-class.ts";
import { needsAPerson } from "../core/error-class.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { ErrorSource } from "./error-reports.ts";
import type { ShardStatus } from "./shard-consumer.ts";

/**
 * - created: `start()` was not called; joining: on its way into the fleet; active: takes part;
 * - leaving: hands its leases over; stopped: has left;
 * - failed: has ended by itself, `status().lastError` and the event `error` say why.
 */
export type WorkerState = "created" | "joining" | "active" | "leaving" | "stopped" | "failed";

/**
 * For the probes of a container platform.
 * - `live` false: only a restart helps. It never depends on AWS: an outage must not restart a fleet.
 * - `ready` false: this worker does not do all of its work; `reasons` says why, in one line each.
 */
export interface WorkerHealth {
  readonly live: boolean;
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/** An iteration of the loop is bounded by the deadlines of its calls; one that takes longer than this hangs. */
const LOOP_LIMIT_MILLIS = 120_000;

export interface HealthFacts {
  readonly state: WorkerState;
  readonly failure: Error | undefined;
  /** Since the loop's last iteration ended. */
  readonly sinceTurnMillis: number;
  readonly isFresh: boolean;
  readonly errors: readonly {
    readonly source: ErrorSource;
    readonly errorClass: ErrorClass;
    readonly sinceMillis: number;
  }[];
  readonly shards: readonly (ShardStatus & { readonly leaseKey: string })[];
  readonly nowMillis: number;
}

export function healthOf(facts: HealthFacts): WorkerHealth {
  const { state, failure, sinceTurnMillis, isFresh, errors, shards, nowMillis } = facts;
  const runs = state === "joining" || state === "active" || state === "leaving";
  const hangs = state === "active" && sinceTurnMillis > LOOP_LIMIT_MILLIS;
  const reasons: string[] = [];
  if (failure !== undefined) reasons.push(failure.message);
  if (state !== "active") reasons.push(`the worker is ${state}`);
  if (hangs) reasons.push(`the worker's loop has not ended an iteration for ${seconds(sinceTurnMillis)}`);
  if (runs && !isFresh)
    reasons.push("the worker's heartbeat is not fresh: no records are given to the handler");
  for (const { source, errorClass, sinceMillis } of errors) {
    const lasts = `${source} fails (${errorClass}) for ${seconds(nowMillis - sinceMillis)}`;
    if (needsAPerson(errorClass) || nowMillis - sinceMillis > LASTING_MILLIS) reasons.push(lasts);
  }
  for (const { leaseKey, state: reader, error } of shards)
    if (reader === "halted") reasons.push(`shard ${leaseKey} is halted: ${error ?? "no error"}`);
  return { live: failure === undefined && !hangs, ready: reasons.length === 0, reasons };
}

const LASTING_MILLIS = 30_000;
const seconds = (millis: number): string => `${Math.round(millis / 1_000)} s`;

export function measure(
  metrics: Metrics,
  workerId: string,
  { shards, lost }: { readonly shards: readonly ShardStatus[]; readonly lost: number },
): void {
  const own = { Operation: "RenewAllLeases", WorkerIdentifier: workerId };
  const halted = shards.filter(({ state }) => state === "halted").length;
  metrics.record("CurrentLeases", shards.length, "Count", own);
  metrics.record("LostLeases", lost, "Count", own);
  metrics.record("HaltedShards", halted, "Count", { Operation: "LeaseAssignment" });
  // Also of shards that are not read at the moment: their lag grows with the clock.
  for (const { millisBehindLatest } of shards)
    if (millisBehindLatest !== undefined)
      metrics.record("MillisBehindLatest", millisBehindLatest, "Milliseconds", {
        Operation: "ApplicationTracker",
      });
}
