/** Work beside the loop: one of a kind at a time. A failure is logged, and the next turn, which finds it undone, tries again. */
import type { Logger } from "../ports/logger.ts";

export class Chores {
  readonly #logger: Logger;
  readonly #wakeUp: () => void;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(logger: Logger, wakeUp: () => void) {
    this.#logger = logger;
    this.#wakeUp = wakeUp;
  }

  start(name: string, work: () => Promise<void>): void {
    if (this.#underWay.has(name)) return;
    const chore = work()
      .catch((error: unknown) => this.#logger.warn({ err: error }, `${name} failed; trying again`))
      .finally(() => {
        this.#underWay.delete(name);
        this.#wakeUp();
      });
    this.#underWay.set(name, chore);
  }

  async done(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }
}
