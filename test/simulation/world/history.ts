/**
 * The events of a simulated run, in order, as observed from outside the engine. The checkers read only this.
 * `t` is true virtual time; sequence numbers are the stream's.
 */
import type { Lease } from "../../../src/core/lease.ts";
import type { Member } from "../../../src/core/member.ts";
import type { Position } from "../../../src/ports/stream.ts";
import type { Scheduler } from "./scheduler.ts";

export type LeaseOperation =
  | "create"
  | "claim"
  | "renew"
  | "checkpoint"
  | "handOver"
  | "release"
  | "complete"
  | "remove";
export type MemberOperation = "join" | "sendHeartbeat" | "markDead" | "leave" | "bump";

/**
 * Why a worker may be marked dead, or may not know how one of its writes ended. `until` undefined: for good.
 */
export type FaultKindOfWorker =
  | "crash"
  | "pause"
  | "partition"
  | "throttle"
  | "failed-call"
  | "lost-answer"
  | "slow"
  | "hung-call"
  | "blocked-loop"
  | "refused"
  | "duplicate-id";

export type WorkerAction = "started" | "joined" | "stopping" | "stopped" | "failed";

export type SimEvent =
  | { type: "put"; t: number; shardId: string; sequenceNumber: string; key: string; n: number }
  | {
      type: "shard";
      t: number;
      shardId: string;
      action: "opened" | "closed" | "trimmed";
      parents: readonly string[];
    }
  /** A lease row was written by `worker`. `before`, `after`: the row around the write. */
  | {
      type: "write";
      t: number;
      worker: string;
      operation: LeaseOperation;
      leaseKey: string;
      before: Lease | undefined;
      after: Lease | undefined;
    }
  /** A conditional lease write whose condition did not hold. */
  | { type: "refused"; t: number; worker: string; operation: LeaseOperation; leaseKey: string }
  | {
      type: "member";
      t: number;
      worker: string;
      operation: MemberOperation;
      about: string;
      member: Member | undefined;
    }
  | { type: "iterator"; t: number; worker: string; shardId: string; position: Position }
  /** `sentAt`: when the worker sent the request; `t`: when the shard was read. */
  | {
      type: "read";
      t: number;
      worker: string;
      shardId: string;
      sentAt: number;
      count: number;
      atEnd: boolean;
    }
  /** The handler has finished these records of one batch. */
  | { type: "handled"; t: number; worker: string; shardId: string; sequenceNumbers: readonly string[] }
  /** A call with these records has failed. */
  | { type: "threw"; t: number; worker: string; shardId: string; sequenceNumbers: readonly string[] }
  /** A call succeeded after its time limit: the engine does not count it. */
  | { type: "too-late"; t: number; worker: string; shardId: string; sequenceNumbers: readonly string[] }
  /**
   * The engine accepted a checkpoint of the handler. Not `named`: the engine decides which record it means,
   * up to this one.
   */
  | { type: "accepted"; t: number; worker: string; shardId: string; sequenceNumber: string; named: boolean }
  /** With interval 0: `await checkpoint()` has returned. */
  | { type: "told-written"; t: number; worker: string; shardId: string; sequenceNumber: string }
  /** The engine gave a record to `deadLetter`, which took it or failed. */
  | { type: "dead-letter"; t: number; worker: string; sequenceNumber: string; taken: boolean }
  /** The engine halted the shard. */
  | { type: "halted"; t: number; worker: string; shardId: string }
  | {
      type: "trouble";
      t: number;
      worker: string;
      kind: FaultKindOfWorker;
      until: number | undefined;
      detail: string;
    }
  | { type: "worker"; t: number; worker: string; action: WorkerAction; detail: string }
  /** A fault that hits all workers alike: it excuses none of them. `share`: of all calls. */
  | {
      type: "outage";
      t: number;
      service: "store" | "stream" | "downstream";
      how: string;
      share: number;
      until: number;
    }
  /**
   * The table was edited by hand. `leaseKey`: the row; undefined: a fleet row, and `about` names the entry's
   * worker.
   */
  | { type: "tampered"; t: number; what: string; leaseKey: string | undefined; about: string | undefined }
  /** The application's beginning is in the table: a wall clock's time, undefined for TRIM_HORIZON. */
  | { type: "began"; t: number; startMillis: number | undefined }
  | { type: "log"; t: number; worker: string; level: "warn" | "error"; message: string }
  /** A scan of the whole table begins. */
  | { type: "scan"; t: number; worker: string; rows: number }
  | { type: "phase"; t: number; name: "safety" | "liveness" | "settled" | "quiet" | "end" };

/** An event before the history has added its time. */
export type Happening = SimEvent extends infer E ? (E extends SimEvent ? Omit<E, "t"> : never) : never;

export class History {
  readonly events: SimEvent[] = [];
  /** Sequence numbers of all records that a handler has finished at least once. */
  readonly handled = new Set<string>();
  #listener: ((line: string) => void) | undefined;
  readonly #scheduler: Scheduler | undefined;

  constructor(scheduler?: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** True virtual time. */
  get now(): number {
    return this.#scheduler?.now ?? 0;
  }

  add(happening: Happening): void {
    const event = { t: this.now, ...happening } as SimEvent;
    this.events.push(event);
    if (event.type === "handled") for (const number of event.sequenceNumbers) this.handled.add(number);
    const line = brief(event);
    this.#scheduler?.trace(line);
    this.#listener?.(line);
  }

  /** Reports every event as it happens, for a verbose replay. */
  listen(listener: (line: string) => void): void {
    this.#listener = listener;
  }
}

/** One line, for readers and for the trace hash. */
export function brief(event: SimEvent): string {
  switch (event.type) {
    case "put":
      return `put ${event.key}#${event.n} -> ${event.shardId} ${event.sequenceNumber}`;
    case "shard":
      return `shard ${event.shardId} ${event.action}${event.parents.length > 0 ? ` of ${event.parents.join("+")}` : ""}`;
    case "write":
      return `${event.worker} ${event.operation} ${event.leaseKey}: ${row(event.before)} -> ${row(event.after)}`;
    case "refused":
      return `${event.worker} ${event.operation} ${event.leaseKey}: refused`;
    case "member":
      return `${event.worker} ${event.operation} ${event.about}${event.member ? ` ${event.member.state} ♥${event.member.heartbeat} cap ${event.member.maxLeases ?? "-"}` : ""}`;
    case "iterator":
      return `${event.worker} iterator ${event.shardId} ${event.position.kind} ${"sequenceNumber" in event.position ? event.position.sequenceNumber : ""}`;
    case "read":
      return `${event.worker} read ${event.shardId}: ${event.count}${event.atEnd ? " (end)" : ""}`;
    case "handled":
      return `${event.worker} handled ${event.shardId}: ${event.sequenceNumbers.length} to ${event.sequenceNumbers.at(-1) ?? "-"}`;
    case "threw":
    case "too-late":
      return `${event.worker} ${event.type} ${event.shardId}: ${event.sequenceNumbers[0] ?? "-"} to ${event.sequenceNumbers.at(-1) ?? "-"}`;
    case "accepted":
      return `${event.worker} accepted ${event.shardId}: up to ${event.sequenceNumber}`;
    case "told-written":
      return `${event.worker} told that ${event.shardId} is written up to ${event.sequenceNumber}`;
    case "dead-letter":
      return `${event.worker} dead letter ${event.sequenceNumber}: ${event.taken ? "taken" : "failed"}`;
    case "halted":
      return `${event.worker} halted ${event.shardId}`;
    case "trouble":
      return `${event.worker} TROUBLE ${event.kind} until ${event.until?.toFixed(0) ?? "ever"} ${event.detail}`;
    case "worker":
      return `${event.worker} ${event.action} ${event.detail}`;
    case "outage":
      return `OUTAGE ${event.service} ${event.how} of ${event.share} until ${event.until.toFixed(0)}`;
    case "tampered":
      return `TAMPERED ${event.what} ${event.leaseKey ?? ""} ${event.about ?? ""}`;
    case "began":
      return `the application begins at ${event.startMillis ?? "TRIM_HORIZON"}`;
    case "log":
      return `${event.worker} [${event.level}] ${event.message}`;
    case "scan":
      return `${event.worker} scans ${event.rows} rows`;
    case "phase":
      return `---- ${event.name} ----`;
  }
}

const row = (lease: Lease | undefined): string =>
  lease
    ? `${lease.owner ?? "-"} @${lease.counter} ${lease.checkpoint.sequenceNumber}${lease.childShardIds.length > 0 ? ` children ${lease.childShardIds.join("+")}` : ""}`
    : "(none)";
