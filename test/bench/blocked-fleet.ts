/** The real engine in virtual time with handlers that block the event loop, and what that costs the fleet. */

import { Cluster } from "../simulation/cluster.ts";
import { startEngine } from "../simulation/engine.ts";
import { faultFreeSwarm } from "../simulation/fault-free.ts";
import { NO_FAULT_PLAN } from "../simulation/faults/fault-plan.ts";
import type { SimEvent } from "../simulation/world/history.ts";

const START_MILLIS = 10_000;
const PART_LIMIT_MILLIS = 4 * 3_600_000;
const LOOK_MILLIS = 1_000;
/** Longer than any block here and its consequences. */
const REST_MILLIS = 60_000;

export interface BlockedSettings {
  readonly workers: number;
  readonly shards: number;
  readonly failoverTimeMillis: number;
  /** Put at once. The same number is put again a minute after these are processed. */
  readonly records: number;
  /** Of every call. */
  readonly blockMillis: number;
  readonly blockMillisPerRecord: number;
}

export interface BlockedFigures {
  readonly unhandled: number;
  /** Handler calls for the first records, and for the later ones. */
  readonly calls: readonly [number, number];
  /** The most handler calls that contained any one record. */
  readonly mostTries: number;
  /** Records that were processed more than once. */
  readonly twice: readonly [number, number];
  /** Workers marked dead. */
  readonly markedDead: readonly [number, number];
  /** The largest batch of the later records, which determines the longest block. */
  readonly largestLaterBatch: number;
}

export async function blockedFleet(settings: BlockedSettings): Promise<BlockedFigures> {
  const { workers, shards, failoverTimeMillis, records } = settings;
  const blockedLoops = {
    share: 1,
    millis: settings.blockMillis,
    millisPerRecord: settings.blockMillisPerRecord,
  };
  const faults = { ...NO_FAULT_PLAN, blockedLoops };
  const cluster = new Cluster(faultFreeSwarm({ shards, failoverTimeMillis, faults }), startEngine);
  const { scheduler, history } = cluster;
  for (let index = 0; index < workers; index++) cluster.startWorker();
  await scheduler.run(START_MILLIS);
  const part = async () => {
    const from = history.events.length;
    const limit = scheduler.now + PART_LIMIT_MILLIS;
    cluster.putSome(records);
    while (unhandledOf(history.events) > 0 && scheduler.now < limit)
      await scheduler.run(scheduler.now + LOOK_MILLIS);
    await scheduler.run(scheduler.now + REST_MILLIS);
    return from;
  };
  await part();
  const later = await part();
  const parts = [history.events.slice(0, later), history.events.slice(later)] as const;
  const each = <T>(of: (part: readonly SimEvent[]) => T): readonly [T, T] => [of(parts[0]), of(parts[1])];
  return {
    unhandled: unhandledOf(history.events),
    calls: each((part) => handledIn(part).length),
    mostTries: Math.max(...triesOf(history.events).values()),
    twice: each((part) => [...triesOf(part).values()].filter((tries) => tries > 1).length),
    markedDead: each(
      (part) => part.filter((event) => event.type === "member" && event.operation === "markDead").length,
    ),
    largestLaterBatch: Math.max(
      0,
      ...handledIn(parts[1]).map(({ sequenceNumbers }) => sequenceNumbers.length),
    ),
  };
}

type Handled = Extract<SimEvent, { type: "handled" }>;

const handledIn = (events: readonly SimEvent[]): readonly Handled[] =>
  events.filter((event): event is Handled => event.type === "handled");

const unhandledOf = (events: readonly SimEvent[]): number =>
  events.filter(({ type }) => type === "put").length - triesOf(events).size;

function triesOf(events: readonly SimEvent[]): ReadonlyMap<string, number> {
  const tries = new Map<string, number>();
  for (const { sequenceNumbers } of handledIn(events))
    for (const number of sequenceNumbers) tries.set(number, (tries.get(number) ?? 0) + 1);
  return tries;
}
