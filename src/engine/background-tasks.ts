/**
 * Runs work beside the main loop, one task of a kind at a time. A failure is reported; the next iteration
 * finds the work undone and starts it again. Most tasks change nothing for the loop, so a task that does
 * wakes the loop itself.
 */
import { type ErrorReports, type ErrorSource, errorClassIn, portOf } from "./error-reports.ts";

export class BackgroundTasks {
  readonly #reports: ErrorReports;
  readonly #underWay = new Map<string, Promise<void>>();
  /** By task: the source of the failure, if the last run failed. */
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

  /** The task is another worker's from now on: whether it would succeed is not known. */
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
