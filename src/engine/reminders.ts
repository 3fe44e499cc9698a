/** Something that lasts is logged once, and then every five minutes. */
const REMINDER_MILLIS = 300_000;

export class Reminders {
  readonly #loggedMillis = new Map<string, number>();

  /** Whether to log it now. Entries older than `REMINDER_MILLIS` are dropped, to bound the memory. */
  isDue(what: string, nowMillis: number): boolean {
    for (const [subject, atMillis] of this.#loggedMillis)
      if (nowMillis - atMillis >= REMINDER_MILLIS) this.#loggedMillis.delete(subject);
    if (this.#loggedMillis.has(what)) return false;
    this.#loggedMillis.set(what, nowMillis);
    return true;
  }

  /** It is over: the next time it is logged at once. */
  isOver(what: string): void {
    this.#loggedMillis.delete(what);
  }
}
