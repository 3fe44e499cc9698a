import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { inProject } from "../../../lab/project.ts";
import { DEFAULT_LOAD, monthlyCost, renderMonthlyCost } from "../../bench/aws-cost.ts";

const of = (load: Partial<typeof DEFAULT_LOAD>, what: string) =>
  monthlyCost({ ...DEFAULT_LOAD, ...load }).find((line) => line.what.includes(what))?.dollars ?? Number.NaN;

describe("the cost table of docs/aws.md", () => {
  it("is what `npm run cost -- --aws` prints", () => {
    const page = readFileSync(inProject("docs/aws.md"), "utf8");
    expect(page).toContain(renderMonthlyCost(monthlyCost(DEFAULT_LOAD)).join("\n"));
  });

  it("counts the alarms that the stack has", () => {
    const page = readFileSync(inProject("docs/operations.md"), "utf8");
    expect(page.match(/^### `\w+`$/gm)).toHaveLength(DEFAULT_LOAD.alarms);
  });

  it.each([
    [{ shards: 20 }, "Kinesis, shards", 219],
    [{ rate: 1_000, recordBytes: 100 }, "PUT payload", 36.79],
    [{ rate: 1_000, recordBytes: 30_000 }, "PUT payload", 73.58],
    [{ workers: 9, producers: 1 }, "Fargate", 90.1],
    [{ workers: 9, producers: 1 }, "addresses", 36.5],
    [{ workers: 80 }, "PutMetricData", 140.16],
  ])("%j: %s is %d dollars", (load, what, dollars) => {
    expect(of(load, what)).toBeCloseTo(dollars, 1);
  });

  it("has no term of metrics or logs that grows with shards or records, but the history that is asked for", () => {
    const large = { shards: 500, rate: 10_000 };
    for (const what of ["CloudWatch, metrics", "CloudWatch Logs"]) expect(of(large, what)).toBe(of({}, what));
    expect(of(large, "History in the log")).toBeCloseTo(50 * of({}, "History in the log"), 3);
  });
});
