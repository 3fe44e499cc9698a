/**
 * Work beside the loop: one of a kind at a time. A failure is reported, and the next iteration, which finds it undone, tries
 * again. What changed something for the loop wakes it itself: most chores change nothing.
 */
import { type ErrorReports, errorClassIn, portOf } from "./error-reports.ts";

export class Chores {
  readonly #reports: ErrorReports;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(reports: ErrorReports) {
    this.#reports = reports;
  }

  start(name: string, work: () => Promise<void>): void {
    if (this.#underWay.has(name)) return;
    const chore = work()
      .catch((error: unknown) => {
        this.#reports.failed(portOf(error), errorClassIn(error), error, name);
      })
      .finally(() => {
        this.#underWay.delete(name);
      });
    this.#underWay.set(name, chore);
  }

  async done(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }
}
