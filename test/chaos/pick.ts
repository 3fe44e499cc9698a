import type { Random } from "../../src/ports/random.ts";

export function pick<T>(from: readonly T[], random: Random): T {
  const picked = from[Math.floor(random.next() * from.length)];
  if (picked === undefined) throw new Error("there is nothing to pick from");
  return picked;
}

/** Picks `count` different items, in a random order. */
export function pickSome<T>(from: readonly T[], count: number, random: Random): T[] {
  const left = [...from];
  const picked: T[] = [];
  while (picked.length < count) picked.push(...left.splice(Math.floor(random.next() * left.length), 1));
  return picked;
}

/** 32 bits of FNV-1a: a row's own seed, independent of the other rows. */
export function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
