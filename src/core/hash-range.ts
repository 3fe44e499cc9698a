/** Arithmetic on Kinesis's partition key space: 128 bits, both ends inclusive. */
export interface HashRange {
  readonly start: bigint;
  readonly end: bigint;
}

export const MAX_HASH_KEY = (1n << 128n) - 1n;
export const FULL_RANGE: HashRange = { start: 0n, end: MAX_HASH_KEY };

export const width = (range: HashRange): bigint => range.end - range.start + 1n;

/**
 * Where SplitShard cuts: the starting hash key of the upper half. Undefined when the range holds only one
 * key.
 */
export function midpoint(range: HashRange): bigint | undefined {
  return range.end > range.start ? range.start + width(range) / 2n : undefined;
}

/** `a` ends right before `b` starts: the two can be merged. */
export const adjacent = (a: HashRange, b: HashRange): boolean => a.end + 1n === b.start;

export const overlaps = (a: HashRange, b: HashRange): boolean => a.start <= b.end && b.start <= a.end;

/** The parts of the key space that none of `ranges` covers, in order. `ranges` may overlap. */
export function holes(ranges: readonly HashRange[]): HashRange[] {
  const found: HashRange[] = [];
  let next = 0n;
  for (const range of ranges.toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    if (range.start > next) found.push({ start: next, end: range.start - 1n });
    if (range.end + 1n > next) next = range.end + 1n;
  }
  if (next <= MAX_HASH_KEY) found.push({ start: next, end: MAX_HASH_KEY });
  return found;
}
