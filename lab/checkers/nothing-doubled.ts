/**
 * No record is processed twice in a planned move. After a kill -9, the successor repeats at most the records
 * processed since the last checkpoint. A record that the stream itself holds twice (a retried put, with two
 * sequence numbers) is the producer's duplicate and is counted separately.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import { KeyColumns } from "../history/key-columns.ts";
import { type Checker, unknown, type Verdict, type Witness, Witnesses } from "./checker.ts";

interface Acquisition {
  readonly worker: string;
  readonly action: string;
  readonly reason: string;
  readonly t: number;
}

/** Duplicates of one shard, from one worker to another, in one move. */
interface Group {
  readonly shardId: string;
  readonly first: string;
  readonly again: string;
  readonly move: Acquisition | undefined;
  readonly example: { readonly key: string; readonly n: number; readonly t: number };
  count: number;
  /** The earliest time at which one of them was first processed. */
  earliestFirst: number;
}

export interface Repeats {
  /** Repeats in planned moves, or more than a crash explains. Expected: none. */
  readonly unexplained: number;
  /** Repeats by the successor of a killed worker. */
  readonly afterCrash: number;
  /** Records with two sequence numbers: the producer put them twice. */
  readonly twiceInStream: number;
}

export interface DoubledChecker extends Checker {
  counts(): Repeats;
}

export function nothingDoubled(crashReplayMillis: number): DoubledChecker {
  const firstAt = new KeyColumns();
  /** The worker index and the sequence number's fingerprint of the first processing, packed into 48 bits. */
  const firstBy = new KeyColumns();
  const workers: string[] = [];
  const workerIndex = new Map<string, number>();
  const acquired = new Map<string, Acquisition>();
  const kills = new Map<string, number[]>();
  const groups = new Map<string, Group>();
  let records = 0;
  let twiceInStream = 0;

  const indexOf = (worker: string): number => {
    const known = workerIndex.get(worker);
    if (known !== undefined) return known;
    workerIndex.set(worker, workers.length);
    return workers.push(worker) - 1;
  };

  const observeRecord = (event: Extract<HistoryEvent, { type: "record" }>) => {
    records += 1;
    const print = fingerprint(event.sequenceNumber);
    const before = firstAt.get(event.key, event.n);
    if (before === 0) {
      firstAt.set(event.key, event.n, event.t);
      firstBy.set(event.key, event.n, indexOf(event.worker) * 2 ** 32 + print);
      return;
    }
    const packed = firstBy.get(event.key, event.n);
    if (packed % 2 ** 32 !== print) {
      twiceInStream += 1;
      return;
    }
    const first = workers[Math.floor(packed / 2 ** 32)] as string;
    const held = acquired.get(event.shardId);
    const move = held?.worker === event.worker ? held : undefined;
    const id = `${event.shardId} ${first} ${event.worker} ${move?.t}`;
    const group = groups.get(id);
    if (group === undefined) {
      const { shardId, key, n, t, worker: again } = event;
      groups.set(id, {
        shardId,
        first,
        again,
        move,
        example: { key, n, t },
        count: 1,
        earliestFirst: before,
      });
    } else {
      group.count += 1;
      group.earliestFirst = Math.min(group.earliestFirst, before);
    }
  };

  const isCrashReplay = (group: Group): boolean =>
    group.first !== group.again &&
    (kills.get(group.first) ?? []).some(
      (t) => group.earliestFirst >= t - crashReplayMillis && (group.move?.t ?? t) >= t,
    );

  return {
    name: "nothing doubled",
    expected: 0,
    observe(event) {
      if (event.type === "record") observeRecord(event);
      else if (event.type === "lease" && (event.action === "claimed" || event.action === "received")) {
        acquired.set(event.leaseKey, event);
      } else if (event.type === "event" && event.name === "task-killed") {
        const worker = String(event.worker);
        kills.set(worker, [...(kills.get(worker) ?? []), event.t]);
      }
    },
    counts() {
      const sum = (chosen: readonly Group[]) => chosen.reduce((total, { count }) => total + count, 0);
      const crash = [...groups.values()].filter(isCrashReplay);
      const afterCrash = sum(crash);
      return { unexplained: sum([...groups.values()]) - afterCrash, afterCrash, twiceInStream };
    },
    verdict(): Verdict {
      if (records === 0) return unknown("no record in the history was processed");
      const { unexplained, afterCrash } = this.counts();
      if (unexplained > 0) {
        const doubled = new Witnesses();
        for (const group of groups.values()) if (!isCrashReplay(group)) doubled.add(witness(group));
        return doubled.invalid(unexplained);
      }
      const notes = [
        afterCrash > 0 ? `${afterCrash} repeated after a kill -9, as at-least-once allows` : "",
        twiceInStream > 0 ? `${twiceInStream} are in the stream twice (retried puts)` : "",
      ].filter((note) => note !== "");
      return { kind: "valid", actual: 0, ...(notes.length > 0 ? { note: notes.join("; ") } : {}) };
    },
  };
}

function witness(group: Group): Witness {
  const { example, shardId, again: worker } = group;
  return { text: describe(group), shardId, worker, ...example };
}

function describe(group: Group): string {
  const { shardId, first, again, move, example, count } = group;
  const how =
    move === undefined ? "with no move between" : `after it had ${move.action} the lease (${move.reason})`;
  const who = first === again ? `${again} processed twice` : `${again} repeated what ${first} had processed,`;
  return `${shardId}: ${who} ${how}: ${count} record${count === 1 ? "" : "s"}, the first is ${example.n} of key ${example.key}`;
}

/** FNV-1a, 32 bits. Distinguishes two sequence numbers of the same key and n. */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
