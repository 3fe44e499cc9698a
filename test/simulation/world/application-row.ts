/** The application row in the simulated lease table. */
import type { Application } from "../../../src/core/application.ts";
import type { Happening } from "./history.ts";

export class ApplicationRow {
  #row: Application | undefined;
  readonly #record: (happening: Happening) => void;

  constructor(record: (happening: Happening) => void) {
    this.#record = record;
  }

  get row(): Application | undefined {
    return this.#row;
  }

  deleteByHand(): void {
    this.#row = undefined;
  }

  create(application: Application): Application {
    if (this.#row === undefined) {
      this.#row = application;
      this.#record({ type: "began", startMillis: application.startMillis });
    }
    return this.#row;
  }

  replace(seen: Application, next: Application): "replaced" | "changed" {
    if (this.#row?.stream?.createdMillis !== seen.stream?.createdMillis) return "changed";
    this.#row = next;
    return "replaced";
  }
}
