/**
 * One owner at a time: two workers never process the same shard in overlapping intervals, and no worker reads
 * on after losing the lease to another. A batch's interval runs from its GetRecords to the end of its
 * handler.
 *
 * A violation is excused if one of the workers was killed or suspended on purpose before the batch ended. No
 * lease can prevent that case, and `nothing doubled` bounds its cost.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import { type Checker, unknown, type Verdict, Witnesses } from "./checker.ts";

interface Span {
  readonly readAt: number;
  readonly t: number;
}

interface ShardTenure {
  holder: { readonly worker: string; readonly since: number } | undefined;
  /** When each worker released this shard or learned that it had lost it. */
  readonly gaveUp: Map<string, number>;
  /** The newest batch of each worker. */
  readonly newest: Map<string, Span>;
}

export function oneOwner(): Checker {
  const shards = new Map<string, ShardTenure>();
  const stoppedAt = new Map<string, number>();
  const violations = new Witnesses();
  let batches = 0;
  let leaseEvents = 0;
  let excused = 0;

  const tenureOf = (shardId: string): ShardTenure => {
    const known = shards.get(shardId);
    if (known !== undefined) return known;
    const fresh: ShardTenure = { holder: undefined, gaveUp: new Map(), newest: new Map() };
    shards.set(shardId, fresh);
    return fresh;
  };

  const errorFrom = (
    tenure: ShardTenure,
    { worker, readAt, t }: Extract<HistoryEvent, { type: "batch" }>,
  ) => {
    for (const [other, span] of tenure.newest) {
      if (other !== worker && span.t > readAt && span.readAt < t) {
        return { other, text: `while ${other} processed it (${span.readAt} to ${span.t})` };
      }
    }
    const { holder } = tenure;
    if (holder !== undefined && holder.worker !== worker && readAt > holder.since) {
      return { other: holder.worker, text: `although ${holder.worker} owned it since ${holder.since}` };
    }
    const gaveUp = tenure.gaveUp.get(worker);
    if (holder?.worker !== worker && gaveUp !== undefined && readAt > gaveUp) {
      return { other: worker, text: `although it had given the lease up at ${gaveUp}` };
    }
    return undefined;
  };

  const observeBatch = (event: Extract<HistoryEvent, { type: "batch" }>) => {
    if (event.count === 0) return;
    batches += 1;
    const tenure = tenureOf(event.shardId);
    const { worker, shardId, readAt, t } = event;
    const problem = errorFrom(tenure, event);
    tenure.newest.set(worker, event);
    if (problem === undefined) return;
    const stopped = Math.min(stoppedAt.get(worker) ?? Infinity, stoppedAt.get(problem.other) ?? Infinity);
    if (stopped <= t) excused += 1;
    else
      violations.add({
        text: `${shardId}: ${worker} processed it (${readAt} to ${t}) ${problem.text}`,
        t,
        shardId,
        worker,
      });
  };

  const observeLease = ({ leaseKey, worker, action, t }: Extract<HistoryEvent, { type: "lease" }>) => {
    leaseEvents += 1;
    const tenure = tenureOf(leaseKey);
    if (action === "claimed" || action === "received") {
      tenure.holder = { worker, since: t };
      tenure.gaveUp.delete(worker);
      return;
    }
    tenure.gaveUp.set(worker, t);
    if (tenure.holder?.worker === worker) tenure.holder = undefined;
  };

  return {
    name: "one owner at a time",
    expected: 0,
    observe(event) {
      if (event.type === "batch") observeBatch(event);
      else if (event.type === "lease") observeLease(event);
      else if (event.type === "event" && event.name === "task-killed")
        stoppedAt.set(String(event.worker), event.t);
    },
    verdict(): Verdict {
      if (violations.total > 0) return violations.invalid();
      if (batches === 0) return unknown("no batch in the history");
      if (leaseEvents === 0) return unknown("no lease event in the history: ownership cannot be told");
      const note =
        excused > 0
          ? `${excused} late batches of workers stopped on purpose`
          : `${batches} batches of ${shards.size} shards`;
      return { kind: "valid", actual: 0, note };
    },
  };
}
