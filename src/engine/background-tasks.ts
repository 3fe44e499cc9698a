/**
 * Work beside the loop: one of a kind at a time. A failure is reported, and the next iteration, which finds it undone, tries
 * again. What changed something for the loop wakes it itself: most chores change nothing.
 */
import { type ErrorReports, type ErrorSource, errorClassIn, portOf } from "./error-reports.ts";

export class BackgroundTasks {
  readonly #reports: ErrorReports;
  readonly #underWay = new Map<string, Promise<void>>();
  /** What failed in the last run of each chore that has not worked since. */
  readonly #failed = new Map<string, ErrorSource>();

  constructor(reports: ErrorReports) {
    this.#reports = reports;
  }

  start(name: string, work: () => Promise<void>): void {
    if (this.#underWay.has(name)) return;
    const task = work()
      .then(() => this.#over(name, "recovered"))
      .catch((error: unknown) => {
        this.#failed.set(name, portOf(error));
        this.#reports.failed(portOf(error), errorClassIn(error), error, name);
      })
      .finally(() => {
        this.#underWay.delete(name);
      });
    this.#underWay.set(name, task);
  }

  /** It is another worker's from now on: whether it would work is not known. */
  forget(name: string): void {
    this.#over(name, "forget");
  }

  #over(name: string, how: "recovered" | "forget"): void {
    const source = this.#failed.get(name);
    if (source === undefined) return;
    this.#failed.delete(name);
    this.#reports[how](source, name);
  }

  async done(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }
}
