/**
 * Records of one key are processed in stream order, across splits, merges and owners.
 *
 * A violation is a record that is processed for the first time after a later record of its key. A repeated
 * record is not a violation; `nothing doubled` counts it. Disorder in the stream itself (a producer's retry)
 * is not a violation either.
 */
import { KeyColumns } from "../history/key-columns.ts";
import { type Checker, compareSequenceNumbers, unknown, type Verdict, Witnesses } from "./checker.ts";

interface Latest {
  readonly n: number;
  readonly t: number;
  readonly worker: string;
  readonly shardId: string;
  readonly sequenceNumber: string;
}

export function keyOrder(): Checker {
  const latest = new Map<string, Latest>();
  const seen = new KeyColumns();
  const violations = new Witnesses();
  let inStream = 0;

  return {
    name: "order per key",
    expected: 0,
    observe(event) {
      if (event.type !== "record") return;
      const { key, n, t, worker, shardId } = event;
      const before = latest.get(key);
      if (before === undefined || n > before.n) {
        latest.set(key, event);
        seen.set(key, n, 1);
        return;
      }
      if (seen.get(key, n) === 1) return;
      seen.set(key, n, 1);
      // Two workers in the same millisecond: the history does not show which came first.
      if (t <= before.t && worker !== before.worker) return;
      if (
        shardId === before.shardId &&
        compareSequenceNumbers(event.sequenceNumber, before.sequenceNumber) > 0
      ) {
        inStream += 1;
        return;
      }
      violations.add({
        text: `key ${key}: ${worker} processed ${n} from ${shardId} ${t - before.t} ms after ${before.worker} had processed ${before.n} from ${before.shardId}`,
        t,
        shardId,
        worker,
        key,
        n,
      });
    },
    verdict(): Verdict {
      if (latest.size === 0) return unknown("no record in the history was processed");
      if (violations.total > 0) return violations.invalid();
      const note =
        inStream > 0 ? `${inStream} are out of order in the stream itself (retried puts)` : undefined;
      return { kind: "valid", actual: 0, ...(note !== undefined ? { note } : {}) };
    },
  };
}
