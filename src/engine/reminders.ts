/** Says what lasts once, and then every five minutes. */
const REMINDER_MILLIS = 300_000;

export class Reminders {
  readonly #loggedMillis = new Map<string, number>();

  /** Whether it is to be said now. What was said longer ago than a reminder takes is forgotten, so that this does not grow. */
  isDue(what: string, nowMillis: number): boolean {
    for (const [subject, atMillis] of this.#loggedMillis)
      if (nowMillis - atMillis >= REMINDER_MILLIS) this.#loggedMillis.delete(subject);
    if (this.#loggedMillis.has(what)) return false;
    this.#loggedMillis.set(what, nowMillis);
    return true;
  }

  /** It lasts no more: the next time it is news. */
  isOver(what: string): void {
    this.#loggedMillis.delete(what);
  }
}
