/**
 * Time as a port. Everything that waits or measures takes a `Clock`, so that the simulator can own time.
 * `src/platform.ts` holds the only implementation that touches the real clock.
 */
export interface Clock {
  /** Wall-clock time, epoch milliseconds. For people, history files and the grid of looks: never for liveness. */
  wallMillis(): number;
  /** Milliseconds on a clock that never goes back; its zero has no meaning. Leases age on this one. */
  monotonicMillis(): number;
  /**
   * Resolves after `millis`, or at once when `signal` aborts (it never rejects: the caller looks at the
   * signal). A sleep does not keep the process alive by itself beyond its end.
   */
  sleep(millis: number, signal?: AbortSignal): Promise<void>;
}
