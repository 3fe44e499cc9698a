/** `bench plan`: one plan of a fleet far larger than most, in time and in memory. */
import type { BenchResult, BenchRun } from "./figures.ts";
import { bundleProgram, runProgram } from "./program.ts";
import type { PlanMeasured } from "./programs/plan.ts";

export async function benchPlan({ rounds, signal, say }: BenchRun): Promise<BenchResult> {
  const program = await bundleProgram("plan");
  const measured: PlanMeasured[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    // A nursery that holds everything a plan allocates: nothing is collected meanwhile, so growth is
    // allocation.
    const nodeOptions = ["--expose-gc", "--max-semi-space-size=512", "--min-semi-space-size=512"];
    measured.push(await runProgram<PlanMeasured>(program, {}, { nodeOptions, signal }));
  }
  return {
    bench: "plan",
    figures: [
      {
        measure: "one plan after 10 % were replaced",
        unit: "ms",
        values: measured.map(({ medianMillis }) => medianMillis),
        goal: { worst: 50 },
      },
      {
        measure: "the first plan of a process",
        unit: "ms",
        values: measured.map(({ firstMillis }) => firstMillis),
      },
      {
        measure: "a plan of a balanced fleet",
        unit: "ms",
        values: measured.map(({ quietMillis }) => quietMillis),
      },
      {
        measure: "memory one plan allocates",
        unit: "MiB",
        values: measured.map(({ allocatedMebibytes }) => allocatedMebibytes),
        goal: { worst: 100 },
      },
      {
        measure: "lease moves (1,000 is the fewest)",
        unit: "count",
        values: measured.map(({ moves }) => moves),
        goal: { worst: 1_010 },
      },
    ],
    notes: ["Rounds to convergence and calls a minute at this size: npm run simulate -- --scale"],
  };
}
