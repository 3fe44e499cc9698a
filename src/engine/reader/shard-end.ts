/**
 * The steps between the last record of a shard and SHARD_END: the `shardEnded` hook and, with manual
 * checkpoints, the checkpoint of the last record that the handler processed. Without that checkpoint,
 * SHARD_END would pass over records that a crash must replay. So it is waited for, as KCL does, and a long
 * wait is logged (`shard-activity.ts`).
 */

import { type Checkpoint, compareCheckpoints } from "../../core/lease.ts";
import { backoffMillis } from "../../ports/random.ts";
import { HOOK_LIMIT_MILLIS, SHARD_ENDED_LIMIT_MILLIS } from "../settled-within.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { ShardReaderDeps, ShardReaderOptions } from "./reader-options.ts";
import type { ShardActivity } from "./shard-activity.ts";

const HOOK_RETRY_BASE_MILLIS = 500;
const HOOK_RETRY_CAP_MILLIS = 30_000;

export interface ShardEndDeps {
  readonly deps: ShardReaderDeps;
  readonly options: ShardReaderOptions;
  readonly shardId: string;
  readonly checkpointer: Checkpointer;
  readonly activity: ShardActivity;
  /** The last record that the handler processed. */
  readonly processed: Checkpoint;
  /** Aborts when the lease is lost. */
  readonly stopping: AbortSignal;
  /** Aborts when the lease is lost or a drain was requested. */
  readonly interrupted: AbortSignal;
}

/** Resolves when SHARD_END may be written. False: a drain or a stop came first. */
export async function mayEnd(parts: ShardEndDeps): Promise<boolean> {
  const { options, checkpointer, activity, processed, interrupted } = parts;
  if (!(await hookIsDone(parts))) return false;
  if (options.checkpointMode === "auto") return true;
  if (compareCheckpoints(checkpointer.progress, processed) < 0) {
    activity.enter("waiting");
    await checkpointer.whenReached(processed, interrupted);
  }
  return compareCheckpoints(checkpointer.progress, processed) >= 0;
}

/**
 * Calls the hook until it succeeds: again after a failure, and again if it has not ended after a long time. A
 * hook that hangs delays only its own shard. A drain waits for it no longer than for `shutdownRequested`, and
 * the next owner reaches the end again.
 */
async function hookIsDone(parts: ShardEndDeps): Promise<boolean> {
  const { deps, options, shardId, checkpointer, activity, processed, interrupted } = parts;
  const { clock, random, reports } = deps;
  const hook = options.hooks?.shardEnded;
  if (hook === undefined) return true;
  for (let failures = 0; !interrupted.aborted; ) {
    activity.enter("hook");
    const rights = checkpointer.forCall({ delivered: processed });
    const ended = (async () => hook({ shardId, checkpoint: rights.checkpoint }))().then(
      () => ({ kind: "done" as const }),
      (error: unknown) => ({ kind: "failed" as const, error }),
    );
    const over = new AbortController();
    const late = clock.sleep(SHARD_ENDED_LIMIT_MILLIS, over.signal).then(() => LATE);
    const outcome = await Promise.race([ended, late, waitLimit(parts, over.signal)]);
    over.abort();
    if (outcome === undefined) break;
    if (outcome.kind === "done") {
      if (failures > 0) reports.recovered("hook", shardId);
      return true;
    }
    rights.revoke("this call of shardEnded has failed");
    failures += 1;
    reports.failed("hook", "defect", outcome.error, shardId);
    await clock.sleep(
      backoffMillis(failures, random, HOOK_RETRY_BASE_MILLIS, HOOK_RETRY_CAP_MILLIS),
      interrupted,
    );
  }
  reports.forget("hook", shardId);
  return false;
}

const LATE = {
  kind: "failed" as const,
  error: new Error(`shardEnded did not finish within ${SHARD_ENDED_LIMIT_MILLIS} ms: it is called again`),
};

/** Resolves on a stop, or some time after a drain. `over`: no longer waited for. */
async function waitLimit(parts: ShardEndDeps, over: AbortSignal): Promise<undefined> {
  const { deps, stopping, interrupted } = parts;
  await whenAborted(AbortSignal.any([interrupted, over]));
  await deps.clock.sleep(HOOK_LIMIT_MILLIS, AbortSignal.any([stopping, over]));
}

const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
