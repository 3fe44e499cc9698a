/**
 * Work beside the loop: one of a kind at a time. A failure is logged, and the next turn, which finds it undone, tries
 * again. What changed something for the loop wakes it itself: most chores change nothing.
 */
import type { Logger } from "../ports/logger.ts";

export class Chores {
  readonly #logger: Logger;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  start(name: string, work: () => Promise<void>): void {
    if (this.#underWay.has(name)) return;
    const chore = work()
      .catch((error: unknown) => this.#logger.warn({ err: error }, `${name} failed; trying again`))
      .finally(() => {
        this.#underWay.delete(name);
      });
    this.#underWay.set(name, chore);
  }

  async done(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }
}
