/** "Did you mean": the candidate that an incomplete or misspelled word most likely means. Pure. */

/** Optimal string alignment distance: insert, delete, replace, swap neighbours. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (beforePrevious[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/**
 * The first match of: the start of a name, a part of a name, a typing mistake in at most a third of it.
 * Undefined: no candidate is close.
 */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  if (wanted === "") return undefined;
  const lower = candidates.map((candidate) => ({ candidate, name: candidate.toLowerCase() }));
  const beginning = lower.find(({ name }) => name.startsWith(wanted));
  if (beginning) return beginning.candidate;
  const inside = wanted.length >= 3 ? lower.find(({ name }) => name.includes(wanted)) : undefined;
  if (inside) return inside.candidate;
  const ranked = lower
    .map(({ candidate, name }) => ({ candidate, distance: editDistance(wanted, name), length: name.length }))
    .toSorted((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.floor(Math.max(wanted.length, best.length) / 3))
    ? best.candidate
    : undefined;
}
