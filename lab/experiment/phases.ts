/**
 * The phases of docs/experiment.md, on a running deployment: initial balance, split, scale, drain. Each phase
 * waits, with a time limit, for its expected state. A missed state is recorded and the remaining phases still
 * run, so the report shows what happened instead.
 */

import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { Interrupted, messageOf } from "../errors.ts";
import { distribution, isEven } from "../fleet/state.ts";
import { type ExperimentSettings, evenDistribution } from "../settings.ts";
import type { Sampler, WaitResult } from "./sampler.ts";

/** The operations that the phases perform on the deployment. */
export interface Controls {
  reshard(targetShards: number): Promise<void>;
  scale(targetTasks: number): Promise<void>;
  stopProducer(): Promise<void>;
}

export interface PhaseContext {
  readonly settings: ExperimentSettings;
  readonly sampler: Sampler;
  readonly controls: Controls;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly write: (event: HistoryEvent) => void;
  /** Reports the start of a phase to the progress display. */
  readonly phase: (name: PhaseName, goal: string) => void;
  readonly done: (name: PhaseName, result: PhaseResult) => void;
}

type PhaseName = "initial-balance" | "split" | "scale" | "drain";

export interface PhaseResult {
  readonly ok: boolean;
  /** `7/7/6 after 1.2 s`, or the state found instead. */
  readonly text: string;
}

/** The original experiment's schedule (docs/experiment.md), counted from the first phase. */
const SEED_SCHEDULE = { splitAt: 60_000, scaleAt: 120_000, endAt: 180_000 } as const;

/**
 * Time limits, generous against the goals (2 s, 2.5 s, 1.5 s): a slow machine is shown as slow, not as
 * broken.
 */
const TIMEOUTS = { balance: 60_000, children: 60_000, scale: 90_000, drain: 30_000 } as const;

/** The stream lists new shards at once. This limit is for an endpoint that answers slowly. */
const LISTED_MILLIS = 10_000;

/** How long a distribution must hold. "No further moves" is a goal too. */
const STABLE_MILLIS = 3_000;

export async function runPhases(hands: PhaseContext): Promise<PhaseResult[]> {
  const { settings, sampler, clock } = hands;
  const startedAt = clock.monotonicMillis();
  const reach = async (millis: number) => {
    if (settings.timeline === "fast") return;
    await clock.sleep(Math.max(0, startedAt + millis - clock.monotonicMillis()), hands.signal);
  };
  const results: PhaseResult[] = [];
  const run = async (name: PhaseName, goal: string, body: () => Promise<PhaseResult>) => {
    hands.phase(name, goal);
    hands.write({ type: "event", t: clock.wallMillis(), name: "phase", phase: name });
    const result = await body().catch((error: unknown): PhaseResult => {
      // A phase that throws is a finding, like a missed state: the report still shows what was sampled.
      if (error instanceof Interrupted || hands.signal.aborted) throw error;
      return { ok: false, text: messageOf(error) };
    });
    results.push(result);
    hands.done(name, result);
  };

  await sampler.noteShards();
  await run("initial-balance", evenText(settings.shards, settings.pods, settings), () => balance(hands));
  await reach(SEED_SCHEDULE.splitAt);
  if (settings.splitTo > settings.shards)
    await run("split", evenText(settings.splitTo, settings.pods, settings), () => split(hands));
  await reach(SEED_SCHEDULE.scaleAt);
  if (settings.scaleTo > settings.pods)
    await run("scale", evenText(settings.splitTo, settings.scaleTo, settings), () => scale(hands));
  await reach(SEED_SCHEDULE.endAt);
  await run("drain", "nothing unread", () => drain(hands));
  return results;
}

const evenText = (shards: number, workers: number, settings: ExperimentSettings): string =>
  evenDistribution(shards, workers, settings.maxLeasesLimit).join("/");

/**
 * Waits for the distribution while `work` runs; the time counts from this call. Stable: no lease moves any
 * more.
 */
async function becomesEven(
  hands: PhaseContext,
  wanted: { readonly shards: number; readonly workers: number; readonly timeoutMillis: number },
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<PhaseResult> {
  const askedAt = hands.clock.wallMillis();
  const { shards, workers, timeoutMillis } = wanted;
  const what = evenText(shards, workers, hands.settings);
  const failing = new AbortController();
  const signal = AbortSignal.any([hands.signal, failing.signal]);
  try {
    const [wait] = await Promise.all([
      hands.sampler.until(
        {
          what,
          timeoutMillis,
          stableMillis: STABLE_MILLIS,
          holds: ({ fleet }) => isEven(fleet, shards, workers),
        },
        signal,
      ),
      work(signal),
    ]);
    return result(wait, what, askedAt);
  } catch (error) {
    failing.abort();
    throw error;
  }
}

function balance(hands: PhaseContext): Promise<PhaseResult> {
  const { shards, pods: workers } = hands.settings;
  return becomesEven(hands, { shards, workers, timeoutMillis: TIMEOUTS.balance }, async () => undefined);
}

function split(hands: PhaseContext): Promise<PhaseResult> {
  const { settings, clock, sampler } = hands;
  const { shards, splitTo, pods: workers } = settings;
  hands.write({ type: "event", t: clock.wallMillis(), name: "split-requested", from: shards, to: splitTo });
  return becomesEven(
    hands,
    { shards: splitTo, workers, timeoutMillis: TIMEOUTS.children },
    async (signal) => {
      const watching = new AbortController();
      const watch = sampler.watchShards(splitTo, AbortSignal.any([signal, watching.signal]));
      const reshard = hands.controls.reshard(splitTo).then(async () => {
        await Promise.race([watch, clock.sleep(LISTED_MILLIS, signal)]);
        watching.abort();
      });
      await Promise.all([reshard, watch]);
    },
  );
}

function scale(hands: PhaseContext): Promise<PhaseResult> {
  const { settings, clock } = hands;
  const { splitTo: shards, pods, scaleTo: workers } = settings;
  hands.write({ type: "event", t: clock.wallMillis(), name: "scale-requested", from: pods, to: workers });
  return becomesEven(hands, { shards, workers, timeoutMillis: TIMEOUTS.scale }, () =>
    hands.controls.scale(workers),
  );
}

async function drain(hands: PhaseContext): Promise<PhaseResult> {
  const askedAt = hands.clock.wallMillis();
  await hands.controls.stopProducer();
  const wait = await hands.sampler.until(
    {
      what: "nothing unread",
      timeoutMillis: TIMEOUTS.drain,
      stableMillis: 1_000,
      holds: ({ flow }) => flow.produced > 0 && flow.pending === 0,
    },
    hands.signal,
  );
  const flow = hands.sampler.latest?.flow;
  return wait.seen
    ? { ok: true, text: `${flow?.processed} records, none unread, after ${seconds(wait.at - askedAt)}` }
    : {
        ok: false,
        text: `${flow?.pending ?? "?"} of ${flow?.produced ?? "?"} records still unread after ${seconds(TIMEOUTS.drain)}`,
      };
}

function result(wait: WaitResult, what: string, askedAt: number): PhaseResult {
  if (wait.seen) return { ok: true, text: `${what} after ${seconds(wait.at - askedAt)}` };
  if (wait.unsteady) return { ok: false, text: `${what} came too late to be seen standing still` };
  const fleet = wait.instead?.fleet;
  const instead = fleet
    ? `${distribution(fleet) || "no worker"}, ${fleet.unowned.length} unowned, ${fleet.draining} draining, ${fleet.blocked} blocked`
    : "nothing";
  return { ok: false, text: `${what} did not come; seen instead: ${instead}` };
}

const seconds = (millis: number): string => `${(Math.max(0, millis) / 1_000).toFixed(1)} s`;
