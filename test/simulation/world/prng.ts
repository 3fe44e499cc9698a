/**
 * A seeded source of choices. Each use has its own prng (`prng.fork(name)`), so that one more draw here does
 * not move the others.
 */
import { type Random, seededRandom } from "../../../src/ports/random.ts";

/** FNV-1a over the characters; for naming prngs, not for secrets. */
export function textHash(text: string, start = 0x811c9dc5): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export class Prng implements Random {
  readonly #seed: number;
  readonly #random: Random;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (seed >>> 13));
  }

  fork(name: string): Prng {
    return new Prng(textHash(name, this.#seed ^ 0x811c9dc5));
  }

  next(): number {
    return this.#random.next();
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.next() * choices.length)];
    if (choice === undefined) throw new Error("pick from nothing");
    return choice;
  }
}
