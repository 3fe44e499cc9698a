/**
 * L11: a second process under the id of a running worker does not start. Within 30 s its `start()` rejects
 * with an error that names the id, and until then it reads nothing.
 */
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { idOf } from "./worker-faults.ts";

const WITHIN_MILLIS = 30_000;

export function checkDuplicates({ events }: Evidence): Verdict {
  /** Second processes that have not been refused yet. */
  const started = new Map<string, SimEvent>();
  for (const event of events) {
    for (const [name, start] of started)
      if (event.t - start.t > WITHIN_MILLIS) return invalid(`L11: ${name} was not refused`, start, event);
    if (!("worker" in event) || event.worker === idOf(event.worker)) continue;
    if (event.type === "read" || event.type === "handled")
      return invalid("L11: a second process under a living worker's id reads", event);
    if (event.type !== "worker") continue;
    if (event.action === "started") started.set(event.worker, event);
    if (event.action === "stopped") started.delete(event.worker);
    if (event.action === "failed" && event.detail.includes(idOf(event.worker))) started.delete(event.worker);
  }
  return VALID;
}
