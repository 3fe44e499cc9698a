/**
 * Joiners that arrive together become active together, so that no lease moves to one of them and then to the
 * next.
 */
import type { Member } from "../core/member.ts";

/**
 * Since the last joiner appeared: the tasks of one scale-out start within a few hundred milliseconds of each
 * other.
 */
const DEBOUNCE_MILLIS = 250;
/** A stream of joiners must not keep all of them from becoming active. */
const MAX_DEBOUNCE_MILLIS = 1_500;

export class JoinDebounce {
  #joinedMillis = 0;
  #quietSinceMillis = 0;
  /** Incarnations of the joiners read so far, including this worker's. */
  readonly #joiners = new Set<string>();

  begin(nowMillis: number): void {
    this.#joinedMillis = nowMillis;
    this.#quietSinceMillis = nowMillis;
    this.#joiners.clear();
  }

  /**
   * A new joiner restarts the debounce. If any known joiner is already active, it has waited for this one
   * too: stop waiting.
   */
  isOver(members: readonly Member[], nowMillis: number): boolean {
    for (const { state, incarnation } of members) {
      if (this.#joiners.has(incarnation)) {
        if (state === "active") return true;
      } else if (state === "joining") {
        this.#joiners.add(incarnation);
        this.#quietSinceMillis = nowMillis;
      }
    }
    return this.leftMillis(nowMillis) <= 0;
  }

  /** How long the debounce still lasts if no other joiner appears. */
  leftMillis(nowMillis: number): number {
    const untilQuiet = this.#quietSinceMillis + DEBOUNCE_MILLIS;
    return Math.min(untilQuiet, this.#joinedMillis + MAX_DEBOUNCE_MILLIS) - nowMillis;
  }
}
