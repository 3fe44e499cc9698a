/**
 * When this worker polls next: often for a while after a change, aligned to the fleet's wall-clock ticks
 * while nothing changes, and less and less often while the table cannot be reached.
 *
 * Owns: when the last change was. Never does: poll.
 */
import { idlePauseMillis, type PollIntervals } from "../core/poll-intervals.ts";
import type { Ports } from "./engine-context.ts";

/** Several hand-overs cause only one move of the fleet version. */
const COALESCE_MILLIS = 15;
const FAILURE_BASE_MILLIS = 100;
const FAILURE_CAP_MILLIS = 1_000;

export interface Due {
  readonly untilHeartbeatMillis: number;
  /** The end of a joiner's debounce. Infinite for all other workers. */
  readonly untilActiveMillis: number;
}

export class PollSchedule {
  readonly #ports: Pick<Ports, "clock" | "random">;
  /** This worker's place in the spread of the fleet's polls, from 0 to 1. */
  readonly #phase: number;
  #changedMillis = 0;
  #lastChange = "";
  #failuresInARow = 0;

  constructor(ports: Pick<Ports, "clock" | "random">) {
    this.#ports = ports;
    this.#phase = ports.random.next();
  }

  changed(): void {
    this.#changedMillis = this.#ports.clock.monotonicMillis();
  }

  /**
   * New fleet versions and new moves keep the polls frequent. The same moves, waiting for a slow handler, do
   * not.
   */
  saw(change: string): void {
    if (change !== this.#lastChange) this.changed();
    this.#lastChange = change;
  }

  isBusy({ busyForMillis }: PollIntervals, desired: "joining" | "active" | "leaving"): boolean {
    if (desired === "leaving") return true;
    return this.#ports.clock.monotonicMillis() - this.#changedMillis < busyForMillis;
  }

  wentWell(): void {
    this.#failuresInARow = 0;
  }

  /** @returns how many have failed in a row */
  failed(): number {
    this.#failuresInARow += 1;
    return this.#failuresInARow;
  }

  /** Ends a moment after `wake` aborts. */
  async pause(millis: number, wake: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    await clock.sleep(millis, wake);
    if (wake.aborted) await clock.sleep(COALESCE_MILLIS);
  }

  pauseMillis(
    intervals: PollIntervals,
    isBusy: boolean,
    { untilHeartbeatMillis, untilActiveMillis }: Due,
  ): number {
    const { clock, random } = this.#ports;
    if (this.#failuresInARow > 0) {
      // After an outage the heartbeat must come soon, because the other workers observe again too.
      const capMillis = Math.min(FAILURE_CAP_MILLIS, intervals.heartbeatMillis / 2);
      return random.next() * Math.min(capMillis, FAILURE_BASE_MILLIS * 2 ** this.#failuresInARow);
    }
    if (!isBusy)
      return idlePauseMillis(
        intervals,
        { wallMillis: clock.wallMillis(), untilHeartbeatMillis },
        this.#phase,
      );
    // Spread by ±10 %, so that workers that woke each other do not poll at the same moments.
    const spread = 0.9 + 0.2 * random.next();
    return Math.max(1, Math.min(intervals.busyMillis * spread, untilHeartbeatMillis, untilActiveMillis));
  }
}
