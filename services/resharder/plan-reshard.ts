/**
 * From the open shards to a target count: halve the widest, merge the narrowest neighbours. Pure.
 *
 * The plan is made one step at a time, each from the state the step before leaves behind. So a plan made anew
 * after any step, by another run, goes on exactly where the first one was: that is what makes the reshard resumable.
 */
import { adjacent, FULL_RANGE, type HashRange, holes, midpoint, width } from "../../src/core/hash-range.ts";

export interface OpenShard {
  /** Undefined in a planned state: a child that does not exist yet has no id. */
  readonly shardId: string | undefined;
  readonly hashRange: HashRange;
  /** The shard it was split from, when it was. Two with the same one are siblings: merging them undoes the split. */
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

/** There is nothing to split or merge: waiting does not help. */
export class UnplannableReshard extends Error {
  override readonly name = "UnplannableReshard";
}

/** The listing has a hole or an overlap. It is eventually consistent and lags behind a change: list again. */
export class IncompleteListing extends Error {
  override readonly name = "IncompleteListing";
}

/**
 * Every step from `open` to `target` open shards; empty when they are that many already (an uneven stream is not
 * evened out at the same count). Going up only splits, going down only merges, so |target - open| steps.
 */
export const planReshard = (open: readonly OpenShard[], target: number): ReshardStep[] =>
  performPlan(inOrder(open), target);

/** Makes `shards` the layout after the plan, and gives the plan. */
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
 * The shard count that one UpdateShardCount call reaches with the very shards that the plan makes there; undefined: the
 * next step is a split or merge. Kinesis promises equal shards, but not how it gets there: where a shard needs more
 * than one cut it makes short-lived shards on the way. So only where each shard of an even stream is split once, or
 * merged once with its neighbour: twice or half the count, which is also the most that one call may change.
 */
export function inOneCall(open: readonly OpenShard[], target: number): number | undefined {
  const shards = inOrder(open);
  const count = shards.length;
  if (!even(shards)) return undefined;
  // One step less is one call less only from two steps on; Kinesis allows ten such calls a day.
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
  // Off the grid, a merge would strand a narrow shard between two wide ones.
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

/** A planned parent has no id: its place in the key space names it as well. */
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

/** Shards of one generation differ by a few keys, because 2^128 rarely divides evenly: one in a thousand counts as equal. */
const alike = (a: bigint, b: bigint) => a * 1000n >= b * 999n && b * 1000n >= a * 999n;

/** Where `range` would sit if the key space were cut into ranges of its width, and into how many. */
function slot(range: HashRange): { index: number; of: number } {
  const of = Number((width(FULL_RANGE) + width(range) / 2n) / width(range));
  return { index: Number((range.start + width(range) / 2n) / width(range)), of };
}

/** Whether it starts where a cut into ranges of its width would start. */
function onGrid(range: HashRange): boolean {
  const offset = range.start % width(range);
  return offset * 1000n <= width(range) || (width(range) - offset) * 1000n <= width(range);
}

/**
 * Lowest first picks equals evenly over the key space (0, 1/2, 1/4, 3/4, …), however many are wanted: the bits of the
 * slot, reversed. It depends on the range alone, so earlier picks do not change the order of later ones.
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

/** The first with the lowest score (the caller's order decides ties). */
function best<T>(items: readonly T[], score: (item: T) => number | bigint): T {
  return items.reduce((least, item) => (score(item) < score(least) ? item : least));
}

const share = (range: HashRange) =>
  `${(Number((width(range) * 1_000_000n) / width(FULL_RANGE)) / 10_000).toFixed(2)} %`;
