/**
 * What a worker reports about itself: its state, its health, and the metrics of each heartbeat (with KCL's
 * names where KCL has them).
 */
import type { Decisions } from "../core/decide.ts";
import { needsAPerson } from "../core/error-class.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import type { ErrorReports } from "./error-reports.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import type { LoopWatch } from "./loop-watch.ts";
import { DEFAULT_LOG_WARNING_MILLIS } from "./reader/shard-activity.ts";
import type { ShardTasks } from "./shard-tasks.ts";

/**
 * - created: `start()` was not called
 * - joining: joins the fleet
 * - active: takes part
 * - leaving: hands its leases over
 * - stopped: has left
 * - failed: has ended by itself; `status().lastError` and the event `error` have the reason
 */
export type WorkerState = "created" | "joining" | "active" | "leaving" | "stopped" | "failed";

/**
 * For the probes of a container platform.
 * - `live` false: only a restart helps. It never depends on AWS: an outage must not restart a fleet.
 * - `ready` false: this worker does not do all of its work; `reasons` has one line for each reason.
 */
export interface WorkerHealth {
  readonly live: boolean;
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/**
 * An iteration of the loop is bounded by the deadlines of its calls. One that takes longer than this hangs.
 */
const LOOP_LIMIT_MILLIS = 120_000;

export interface ReportSources {
  readonly ports: Pick<Ports, "clock" | "metrics">;
  readonly options: Pick<EngineOptions, "workerId" | "logWarningForTaskAfterMillis">;
  readonly poller: FleetPoller;
  readonly loop: LoopWatch;
  readonly reports: ErrorReports;
  readonly tasks: () => ShardTasks;
}

/** A plain snapshot; the library's `WorkerStatus`. */
export function statusOf(
  { options, poller, loop, reports, tasks }: ReportSources,
  state: WorkerState,
  decisions: Decisions | undefined,
) {
  return {
    workerId: options.workerId,
    state,
    leads: decisions?.leads ?? false,
    maxLeases: poller.membership.member.maxLeases,
    /** The fleet as this worker last read it; undefined before its first scan. */
    fleet: decisions?.fleet,
    /** The newest failure of any call; it may have passed. */
    lastError: reports.last,
    /** How long the event loop was blocked or paused, and the failover time that covers it. */
    eventLoop: loop.status(),
    leases: tasks().all.map((task) => ({
      leaseKey: task.owned.leaseKey,
      phase: task.phase,
      ...task.status(),
    })),
  };
}

/** @param iterationEndedMillis when the loop's last iteration ended (monotonic) */
export function healthOf(
  { ports, options, poller, loop, reports, tasks }: ReportSources,
  state: WorkerState,
  failure: Error | undefined,
  iterationEndedMillis: number,
): WorkerHealth {
  const nowMillis = ports.clock.monotonicMillis();
  const sinceIterationMillis = nowMillis - iterationEndedMillis;
  const runs = state === "joining" || state === "active" || state === "leaving";
  const hangs = state === "active" && sinceIterationMillis > LOOP_LIMIT_MILLIS;
  const reasons: string[] = [];
  if (failure !== undefined) reasons.push(failure.message);
  if (state !== "active") reasons.push(`the worker is ${state}`);
  if (hangs)
    reasons.push(`the worker's loop has not ended an iteration for ${seconds(sinceIterationMillis)}`);
  if (runs && !poller.membership.isFresh(nowMillis))
    reasons.push("the worker's heartbeat is not fresh: no records are given to the handler");
  const { oftenBlockedMillis } = loop;
  if (oftenBlockedMillis !== undefined)
    reasons.push(
      `the event loop was blocked or paused for ${seconds(oftenBlockedMillis)} of the last minute`,
    );
  for (const { source, errorClass, sinceMillis } of reports.current) {
    const lastsMillis = nowMillis - sinceMillis;
    if (needsAPerson(errorClass) || lastsMillis > LASTING_MILLIS)
      reasons.push(`${source} fails (${errorClass}) for ${seconds(lastsMillis)}`);
  }
  for (const task of tasks().all) {
    const { state: reader, error, activity } = task.status();
    const shard = `shard ${task.owned.leaseKey}`;
    const { kind, attempt = 1 } = activity;
    const busyMillis = ports.clock.wallMillis() - activity.sinceMillis;
    const isLong = busyMillis > (options.logWarningForTaskAfterMillis ?? DEFAULT_LOG_WARNING_MILLIS);
    const isBlocked = (kind !== "reading" && isLong) || (kind === "retrying" && attempt >= FAILING_ATTEMPTS);
    if (reader === "halted") reasons.push(`${shard} is halted: ${error ?? "no error"}`);
    else if (isBlocked) reasons.push(`${shard} is ${kind} for ${seconds(busyMillis)}`);
  }
  return { live: failure === undefined && !hangs, ready: reasons.length === 0, reasons };
}

/** A handler that has failed this often has been failing for some seconds at least. */
const FAILING_ATTEMPTS = 5;
const LASTING_MILLIS = 30_000;
const seconds = (millis: number): string => `${Math.round(millis / 1_000)} s`;

/**
 * Records metrics at every heartbeat interval, also while the table cannot be reached, so that a lag is
 * reported then too.
 */
export class Measurements {
  readonly #sources: ReportSources;
  #takenMillis = 0;

  constructor(sources: ReportSources) {
    this.#sources = sources;
  }

  takeWhenDue(): void {
    const { ports, poller } = this.#sources;
    const now = ports.clock.monotonicMillis();
    if (now - this.#takenMillis < poller.intervals.heartbeatMillis) return;
    this.#takenMillis = now;
    measure(this.#sources);
  }
}

function measure({ ports, options, loop, tasks }: ReportSources): void {
  const { metrics } = ports;
  loop.measure();
  const held = tasks();
  const shards = held.all.map((task) => task.status());
  const own = { Operation: "RenewAllLeases", WorkerIdentifier: options.workerId };
  const halted = shards.filter(({ state }) => state === "halted").length;
  metrics.record("CurrentLeases", shards.length, "Count", own);
  metrics.record("LostLeases", held.takeLost(), "Count", own);
  metrics.record("HaltedShards", halted, "Count", { Operation: "LeaseAssignment" });
  // Includes shards that are not being read: their lag grows with the clock.
  for (const { millisBehindLatest } of shards)
    if (millisBehindLatest !== undefined)
      metrics.record("MillisBehindLatest", millisBehindLatest, "Milliseconds", {
        Operation: "ApplicationTracker",
      });
}
