/**
 * When this worker looks next: often for a while after a change, on the fleet's grid while nothing changes, ever later
 * while the table cannot be reached. Owns: since when what has been changing. Never does: look.
 */
import { idlePauseMillis, type PollIntervals } from "../core/poll-intervals.ts";
import type { Ports } from "./engine-context.ts";

/** Several hand-overs cause one move of the generation. */
const COALESCE_MILLIS = 15;
const FAILURE_BASE_MILLIS = 100;
const FAILURE_CAP_MILLIS = 1_000;

export interface Due {
  readonly untilHeartbeatMillis: number;
  /** The end of a joiner's wait for others; infinite for everybody else. */
  readonly untilActiveMillis: number;
}

export class PollSchedule {
  readonly #ports: Pick<Ports, "clock" | "random">;
  /** This worker's own place in the spread of the fleet's looks. */
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

  /** New generations and new moves keep the looks frequent; the same moves waiting on a slow handler do not. */
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

  /** @returns how many in a row this is */
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
      // After an outage the heartbeat comes at once: others observe again, too.
      const capMillis = Math.min(FAILURE_CAP_MILLIS, intervals.heartbeatMillis / 2);
      return random.next() * Math.min(capMillis, FAILURE_BASE_MILLIS * 2 ** this.#failuresInARow);
    }
    if (!isBusy)
      return idlePauseMillis(
        intervals,
        { wallMillis: clock.wallMillis(), untilHeartbeatMillis },
        this.#phase,
      );
    // Spread by ±10 %, so that workers that woke each other do not look at the same moments.
    const spread = 0.9 + 0.2 * random.next();
    return Math.max(1, Math.min(intervals.busyMillis * spread, untilHeartbeatMillis, untilActiveMillis));
  }
}
