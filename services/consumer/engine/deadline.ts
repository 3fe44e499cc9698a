/** The engine's own patience with a call. An adapter's time-outs may be missing, or may fail with it. */
import type { Clock } from "../../shared/clock.ts";

const LATE = Symbol("late");

/**
 * Settles as `call` does, or rejects with `late()` after `millis`. The call itself goes on: what it answers later is
 * dropped.
 */
export async function withDeadline<T>(
  clock: Clock,
  millis: number,
  call: Promise<T>,
  late: () => Error,
): Promise<T> {
  const settled = new AbortController();
  const deadline = clock.sleep(millis, settled.signal).then((): typeof LATE => LATE);
  try {
    const first = await Promise.race([call, deadline]);
    if (first === LATE) throw late();
    return first;
  } finally {
    settled.abort();
  }
}
