/** The campaign's own machinery, on two rows of the smallest size: one must pass, one must not. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { closedEnvironment } from "../chaos/environment.ts";
import type { Row } from "../chaos/row.ts";
import { runRow } from "../chaos/run-row.ts";
import { openSite, type Site } from "../chaos/site.ts";

let site: Site;
beforeAll(async () => {
  closedEnvironment();
  site = await openSite("chaos-test", { url: inject("endpointUrl") });
});
afterAll(() => site.close());

const small = (name: string, run: Row["run"], says?: RegExp): Row => ({
  ...{ name, group: "processes", about: "", workers: 2, shards: 2, run },
  expects: { doubled: 0, ...(says !== undefined && { says }) },
});

const rows = [
  small(
    "machinery-passes",
    async (fleet) => {
      fleet.begins();
      await fleet.fault({
        kind: "error",
        operations: ["Kinesis.GetRecords"],
        error: "AccessDeniedException",
      });
      await fleet.sleep(2_000);
      await fleet.clearFaults();
    },
    /denied/i,
  ),
  small(
    "machinery-fails",
    async (fleet) => {
      fleet.begins();
      throw new Error("broke off");
    },
    /never said/,
  ),
];

test("faults reach the workers, and the verdict is that of the history", { timeout: 120_000 }, async () => {
  const [passes, fails] = await Promise.all(
    rows.map((row) =>
      runRow({
        ...{ row, site, seed: 1, scale: 1, signal: new AbortController().signal },
        onPhase: () => undefined,
      }),
    ),
  );
  expect(passes?.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(passes?.figures.said?.afterMillis).toBeLessThan(10_000);
  const failed = fails?.checks.filter(({ ok }) => !ok).map(({ name, actual }) => `${name}: ${actual}`);
  expect(failed).toEqual(expect.arrayContaining(["what the row does: broke off", "said: nothing"]));
});
