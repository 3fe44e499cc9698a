/** Every record whose put was acknowledged was processed by at least one worker. */
import type { HistoryEvent } from "../../services/contract/history.ts";
import { KeyColumns } from "../history/key-columns.ts";
import { type Checker, unknown, type Verdict, Witnesses } from "./checker.ts";

export function nothingLost(): Checker {
  const putAt = new KeyColumns();
  const putShard = new KeyColumns();
  const processed = new KeyColumns();
  const shards: string[] = [];
  const shardIndex = new Map<string, number>();
  let puts = 0;

  const indexOf = (shardId: string): number => {
    const known = shardIndex.get(shardId);
    if (known !== undefined) return known;
    shardIndex.set(shardId, shards.length);
    return shards.push(shardId) - 1;
  };

  return {
    name: "nothing lost",
    expected: 0,
    observe(event: HistoryEvent) {
      if (event.type === "put") {
        if (putAt.get(event.key, event.n) === 0) puts += 1;
        putAt.set(event.key, event.n, event.t);
        putShard.set(event.key, event.n, indexOf(event.shardId));
      } else if (event.type === "record") {
        processed.set(event.key, event.n, 1);
      }
    },
    verdict(): Verdict {
      if (puts === 0) return unknown("no put in the history: there is nothing that could be lost");
      const lost = new Witnesses();
      for (const key of putAt.keys()) {
        for (let n = 1; n <= putAt.highestOf(key); n++) {
          const t = putAt.get(key, n);
          if (t === 0 || processed.get(key, n) === 1) continue;
          const shardId = shards[putShard.get(key, n)] as string;
          lost.add({
            text: `record ${n} of key ${key}, put into ${shardId}, was never processed`,
            t,
            shardId,
            key,
            n,
          });
        }
      }
      return lost.total > 0
        ? lost.invalid()
        : { kind: "valid", actual: 0, note: `${puts} records put, all processed` };
    },
  };
}
