/** Reads a `report.json` from disk, for `analyze-rebalancing`. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, wrongUse } from "../errors.ts";
import type { Report } from "./report.ts";

/** The fields that rendering needs. Other measures may be missing in a report of another version. */
const reportShape = z.object({
  ok: z.boolean(),
  summary: z.string(),
  settings: z.record(z.string(), z.unknown()),
  phases: z.array(z.object({ name: z.string(), startedAt: z.number(), endedAt: z.number() })),
  measures: z.looseObject({
    produced: z.number(),
    processed: z.number(),
    duplicates: z.number(),
    lost: z.number(),
    orderViolations: z.number(),
    recoveries: z.array(z.looseObject({ worker: z.string() })),
    distributions: z.array(z.looseObject({ phase: z.string(), leases: z.record(z.string(), z.number()) })),
  }),
  checks: z.array(z.looseObject({ name: z.string(), ok: z.boolean() })),
  history: z.looseObject({ startedAt: z.number() }),
  goals: z.array(z.looseObject({ name: z.string(), met: z.boolean() })),
});

/**
 * `path`: the file, or the `out` folder that holds it. Throws a `CommandError` (exit code 2) that states what to
 * give instead.
 */
export async function readReport(path: string): Promise<Report> {
  const hint = "expected a report.json, or the folder with it, that `npx evenkeel experiment` wrote";
  let value: unknown;
  try {
    const file = (await stat(path)).isDirectory() ? join(path, "report.json") : path;
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw wrongUse(`${path} cannot be read as a report (${messageOf(error)}); ${hint}`);
  }
  const checked = reportShape.safeParse(value);
  if (checked.success) return value as Report;
  const issue = checked.error.issues[0];
  throw wrongUse(`${path} is not a report (${issue?.path.join(".")}: ${issue?.message}); ${hint}`);
}
