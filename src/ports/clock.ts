/**
 * Time as a port. Code that waits or measures takes a `Clock`, so that the simulator controls time. Only
 * `src/platform.ts` uses the real clock.
 */
export interface Clock {
  /**
   * Wall-clock time, epoch milliseconds. For people, history files and polls aligned to the wall clock; never
   * for liveness.
   */
  wallMillis(): number;
  /**
   * Milliseconds on a clock that never goes back; its zero has no meaning. The ages of leases are measured
   * with it.
   */
  monotonicMillis(): number;
  /**
   * Resolves after `millis`, or at once when `signal` aborts. It never rejects; the caller checks the signal.
   * A sleep does not keep the process alive beyond its end.
   */
  sleep(millis: number, signal?: AbortSignal): Promise<void>;
}
