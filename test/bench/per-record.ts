/**
 * `bench per-record`: 200,000 records of 200 bytes over 4 shards through the engine with its real adapters
 * and an empty handler, against a bare loop of the SDK's GetRecords: the floor for Node. The two alternate,
 * each time in a new process. The stream and the lease table are kinesalite's and dynalite's, in a process of
 * their own.
 */
import { inProject } from "../../lab/project.ts";
import { projectImages } from "../../local/containers/images.ts";
import type { BenchResult, BenchRun } from "./figures.ts";
import { bundleProgram, runProgram, startProgram } from "./program.ts";
import type { ReadMeasured } from "./programs/reading.ts";
import type { ServerReady } from "./programs/server.ts";

const RECORDS = 200_000;
const SHARDS = 4;

export async function benchPerRecord({ rounds, signal, say }: BenchRun): Promise<BenchResult> {
  const [server, floor, engine] = await Promise.all(["server", "floor", "engine"].map(bundleProgram));
  say(`putting ${RECORDS.toLocaleString("en")} records`);
  const { child, message: ready } = await startProgram<ServerReady>(
    server!,
    { records: RECORDS, shards: SHARDS, dataBytes: 200 },
    { signal },
  );
  const results = { floor: [] as ReadMeasured[], engine: [] as ReadMeasured[] };
  try {
    // The container's own options: the floor gets the same.
    const nodeOptions = projectImages(inProject(".evenkeel", "build"))["evenkeel/consumer"]!.args.slice(
      0,
      -1,
    );
    for (let round = 1; round <= rounds; round++) {
      for (const [kind, program] of [
        ["floor", floor],
        ["engine", engine],
      ] as const) {
        say(`round ${round} of ${rounds}: ${kind === "floor" ? "the bare SDK" : "the engine"}`);
        const input = { ...ready, records: RECORDS, table: `bench-${round}` };
        results[kind].push(await runProgram<ReadMeasured>(program!, input, { nodeOptions, signal }));
      }
    }
  } finally {
    child.kill();
  }
  const micros = (measured: readonly ReadMeasured[]) => measured.map(({ cpuMicros }) => cpuMicros / RECORDS);
  const peaks = (measured: readonly ReadMeasured[]) => measured.map(({ peakMebibytes }) => peakMebibytes);
  return {
    bench: "per-record",
    figures: [
      { measure: "CPU a record, bare SDK loop", unit: "µs", values: micros(results.floor) },
      { measure: "CPU a record, engine", unit: "µs", values: micros(results.engine) },
      {
        measure: "engine ÷ bare SDK loop",
        unit: "ratio",
        values: results.engine.map(({ cpuMicros }, i) => cpuMicros / results.floor[i]!.cpuMicros),
        goal: { median: 1.1 },
      },
      { measure: "peak RSS, bare SDK loop", unit: "MiB", values: peaks(results.floor) },
      { measure: "peak RSS, engine", unit: "MiB", values: peaks(results.engine), goal: { median: 90 } },
    ],
    notes: [],
  };
}
