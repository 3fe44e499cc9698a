/** Joiners that arrive together become active together, so that no lease moves to one of them and then on to the next. */
import type { Member } from "../core/member.ts";

/** Since the last joiner was seen: tasks of one scale-out start within a few hundred milliseconds of each other. */
const DEBOUNCE_MILLIS = 250;
/** A stream of joiners must not keep everybody out. */
const MAX_DEBOUNCE_MILLIS = 1_500;

export class JoinDebounce {
  #joinedMillis = 0;
  #quietSinceMillis = 0;
  /** Incarnations of the joiners seen so far, this worker among them. */
  readonly #joiners = new Set<string>();

  begin(nowMillis: number): void {
    this.#joinedMillis = nowMillis;
    this.#quietSinceMillis = nowMillis;
    this.#joiners.clear();
  }

  /** Only somebody new starts the wait anew; who of those seen has become active has waited for all of them. */
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

  /** How long it lasts yet if nobody else comes. */
  leftMillis(nowMillis: number): number {
    const untilQuiet = this.#quietSinceMillis + DEBOUNCE_MILLIS;
    return Math.min(untilQuiet, this.#joinedMillis + MAX_DEBOUNCE_MILLIS) - nowMillis;
  }
}
