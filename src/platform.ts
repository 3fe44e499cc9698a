/**
 * The only file that uses the machine's clock, timers and randomness (a tidy test enforces it). Other code
 * takes `Clock` and `Random`.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "./ports/clock.ts";
import type { Random } from "./ports/random.ts";

export const systemClock: Clock = {
  wallMillis: () => Date.now(),
  monotonicMillis: () => performance.now(),
  sleep(millis, signal) {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, millis);
      signal?.addEventListener("abort", done, { once: true });
    });
  },
};

export const systemRandom: Random = { next: () => Math.random() };

/** A short random suffix (`length` hex digits) for worker ids and incarnations. */
export function randomSuffix(length = 8): string {
  return randomBytes(Math.ceil(length / 2))
    .toString("hex")
    .slice(0, length);
}
