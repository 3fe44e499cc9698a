/**
 * Plans the way from the open shards to a target count: split the widest, merge the narrowest neighbours.
 * Pure.
 *
 * Each step is planned from the state that the previous step leaves. So another run that plans again after
 * any step continues exactly where the first run stopped. This makes the reshard resumable.
 */
import { adjacent, FULL_RANGE, type HashRange, holes, midpoint, width } from "../../src/core/hash-range.ts";

export interface OpenShard {
  /** Undefined in a planned state: a child that does not exist yet has no id. */
  readonly shardId: string | undefined;
  readonly hashRange: HashRange;
  /**
   * The shard it was split from, if any. Two shards with the same value are siblings: merging them undoes the
   * split.
   */
  readonly splitFrom: string | undefined;
}

export type ReshardStep =
  | {
      readonly kind: "split";
      readonly shard: OpenShard;
      readonly newStartingHashKey: bigint;
      readonly reason: string;
    }
  | { readonly kind: "merge"; readonly lower: OpenShard; readonly upper: OpenShard; readonly reason: string };

/** There is nothing to split or merge, and waiting does not help. */
export class UnplannableReshard extends Error {
  override readonly name = "UnplannableReshard";
}

/** The listing has a hole or an overlap. It is eventually consistent and lags behind a change: list again. */
export class IncompleteListing extends Error {
  override readonly name = "IncompleteListing";
}

/**
 * All steps from `open` to `target` open shards. Empty if the count already matches: an uneven stream of the
 * same count is not evened out. Going up only splits, going down only merges, so there are |target - open|
 * steps.
 */
export const planReshard = (open: readonly OpenShard[], target: number): ReshardStep[] =>
  performPlan(inOrder(open), target);

/** Changes `shards` to the layout after the plan, and returns the plan. */
function performPlan(shards: OpenShard[], target: number): ReshardStep[] {
  const steps: ReshardStep[] = [];
  while (shards.length !== target) {
    const step = shards.length < target ? nextSplit(shards) : nextMerge(shards);
    perform(shards, step);
    steps.push(step);
  }
  return steps;
}

/** Only the next step, for a caller that performs it and then lists again. */
export function nextStep(open: readonly OpenShard[], target: number): ReshardStep | undefined {
  const shards = inOrder(open);
  if (shards.length === target) return undefined;
  return shards.length < target ? nextSplit(shards) : nextMerge(shards);
}

/**
 * The shard count that one UpdateShardCount call reaches, with exactly the shards that the plan would create.
 * Undefined: the next step is a single split or merge.
 *
 * Kinesis promises equal shards, but not the way to get there: if a shard needs more than one cut, it creates
 * short-lived shards in between. So the call is used only if every shard of an even stream is split once, or
 * merged once with its neighbour. That is twice or half the count, which is also the most that one call may
 * change.
 */
export function inOneCall(open: readonly OpenShard[], target: number): number | undefined {
  const shards = inOrder(open);
  const count = shards.length;
  if (!even(shards)) return undefined;
  // A count of 1 needs one split: one call either way. From 2 on, UpdateShardCount saves calls; Kinesis
  // allows ten of them a day.
  if (count > 1 && target >= 2 * count) return 2 * count;
  const half = count / 2;
  if (half < 2 || target > half || !Number.isInteger(half)) return undefined;
  performPlan(shards, half);
  return even(shards) ? half : undefined;
}

const even = (shards: readonly OpenShard[]) =>
  shards.every(({ hashRange }) => alike(width(hashRange), width(shards[0]!.hashRange)));

function inOrder(open: readonly OpenShard[]): OpenShard[] {
  const shards = open.toSorted((a, b) => (a.hashRange.start < b.hashRange.start ? -1 : 1));
  const overlap = shards.find((shard, i) => i > 0 && shards[i - 1]!.hashRange.end >= shard.hashRange.start);
  if (overlap !== undefined || holes(shards.map((shard) => shard.hashRange)).length > 0) {
    throw new IncompleteListing(
      "the listed open shards do not cover the key space exactly once: the listing lags behind a split or merge; try again in a minute",
    );
  }
  return shards;
}

function nextSplit(shards: readonly OpenShard[]): ReshardStep {
  const widest = width(best(shards, ({ hashRange }) => -width(hashRange)).hashRange);
  const shard = best(
    shards.filter(({ hashRange }) => alike(width(hashRange), widest)),
    ({ hashRange }) => spread(hashRange),
  );
  const newStartingHashKey = midpoint(shard.hashRange);
  if (newStartingHashKey === undefined) throw new UnplannableReshard("no shard is wide enough to be split");
  return {
    kind: "split",
    shard,
    newStartingHashKey,
    reason: `widest: ${share(shard.hashRange)} of the key space`,
  };
}

interface Pair {
  readonly lower: OpenShard;
  readonly upper: OpenShard;
  readonly range: HashRange;
}

function nextMerge(shards: readonly OpenShard[]): ReshardStep {
  const pairs: Pair[] = [];
  for (let i = 1; i < shards.length; i++) {
    const lower = shards[i - 1]!;
    const upper = shards[i]!;
    if (!adjacent(lower.hashRange, upper.hashRange)) continue;
    pairs.push({ lower, upper, range: { start: lower.hashRange.start, end: upper.hashRange.end } });
  }
  if (pairs.length === 0) throw new UnplannableReshard("a single shard cannot be merged with another");
  const narrowest = width(best(pairs, ({ range }) => width(range)).range);
  const candidates = pairs.filter(({ range }) => alike(width(range), narrowest));
  const siblings = candidates.filter(areSiblings);
  // Off the grid, a merge would leave a narrow shard between two wide ones.
  const aligned = candidates.filter(({ range }) => onGrid(range));
  const kind = siblings.length > 0 ? "siblings" : "neighbours";
  const pair = best(siblings.length > 0 ? siblings : aligned.length > 0 ? aligned : candidates, ({ range }) =>
    spread(range),
  );
  const reason = `narrowest ${kind}: together ${share(pair.range)} of the key space`;
  return { kind: "merge", lower: pair.lower, upper: pair.upper, reason };
}

const areSiblings = ({ lower, upper }: Pair) =>
  lower.splitFrom !== undefined && lower.splitFrom === upper.splitFrom;

/** A planned parent has no id, so its hash range identifies it. */
const placeholder = ({ start, end }: HashRange) => `planned:${start}-${end}`;

function perform(shards: OpenShard[], step: ReshardStep): void {
  if (step.kind === "split") {
    const { hashRange, shardId } = step.shard;
    const splitFrom = shardId ?? placeholder(hashRange);
    const lower = {
      shardId: undefined,
      hashRange: { start: hashRange.start, end: step.newStartingHashKey - 1n },
      splitFrom,
    };
    const upper = {
      shardId: undefined,
      hashRange: { start: step.newStartingHashKey, end: hashRange.end },
      splitFrom,
    };
    shards.splice(shards.indexOf(step.shard), 1, lower, upper);
  } else {
    const hashRange = { start: step.lower.hashRange.start, end: step.upper.hashRange.end };
    shards.splice(shards.indexOf(step.lower), 2, { shardId: undefined, hashRange, splitFrom: undefined });
  }
}

/**
 * Shards of one generation differ by a few keys, because 2^128 rarely divides evenly. Widths within one in a
 * thousand count as equal.
 */
const alike = (a: bigint, b: bigint) => a * 1000n >= b * 999n && b * 1000n >= a * 999n;

/** The index of `range` if the key space were cut into ranges of its width, and the number of such ranges. */
function slot(range: HashRange): { index: number; of: number } {
  const of = Number((width(FULL_RANGE) + width(range) / 2n) / width(range));
  return { index: Number((range.start + width(range) / 2n) / width(range)), of };
}

/** Whether the range starts where a cut into ranges of its width would start. */
function onGrid(range: HashRange): boolean {
  const offset = range.start % width(range);
  return offset * 1000n <= width(range) || (width(range) - offset) * 1000n <= width(range);
}

/**
 * Picking the lowest value first spreads equal ranges evenly over the key space (0, 1/2, 1/4, 3/4, …), for
 * any number of picks. The value is the slot's index with its bits reversed. It depends on the range alone,
 * so earlier picks do not change the order of later ones.
 */
function spread(range: HashRange): number {
  const { index, of } = slot(range);
  let reversed = 0;
  let rest = index;
  for (let size = 1; size < of; size *= 2) {
    reversed = reversed * 2 + (rest % 2);
    rest = Math.floor(rest / 2);
  }
  return reversed;
}

/** The first item with the lowest score. The caller's order decides ties. */
function best<T>(items: readonly T[], score: (item: T) => number | bigint): T {
  return items.reduce((least, item) => (score(item) < score(least) ? item : least));
}

const share = (range: HashRange) =>
  `${(Number((width(range) * 1_000_000n) / width(FULL_RANGE)) / 10_000).toFixed(2)} %`;
