import { systemClock } from "../../../src/platform.ts";

/**
 * Calls `look` every 50 ms until it returns a value other than undefined or false. Throws with `what` after
 * 30 s.
 */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = systemClock.monotonicMillis() + 30_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (systemClock.monotonicMillis() > deadline) throw new Error(`waited 30 s in vain: ${what}`);
    await systemClock.sleep(50);
  }
}
