/** Splits and merges: alone, and in the middle of other faults. */
import type { FleetUnderTest } from "../fleet.ts";
import type { Expectation, Row } from "../row.ts";
import { rollingDeploy } from "./processes.ts";
import { during } from "./table.ts";

const group = "reshards" as const;

/** Two splits and a merge, a moment apart, during `work`. */
export async function reshardingDuring(fleet: FleetUnderTest, work: Promise<void>): Promise<void> {
  work.catch(() => undefined); // it is awaited below, after the reshards
  for (const change of ["split", "merge", "split"] as const) {
    await fleet.sleep(500 + fleet.random.next() * 1_500);
    await fleet.stream[change]();
  }
  await work;
}

const resharding = (
  name: string,
  about: string,
  expects: Expectation,
  work: (fleet: FleetUnderTest) => Promise<void>,
): Row => ({
  name,
  group,
  about: `two splits and a merge ${about}`,
  expects,
  run: (fleet) => reshardingDuring(fleet, work(fleet)),
});

const denied = { kind: "error", error: "AccessDeniedException" } as const;

export const reshardRows: readonly Row[] = [
  {
    name: "split",
    group,
    about: "four splits, one after the other",
    expects: { doubled: 0, noErrors: true },
    async run(fleet) {
      for (let i = 0; i < 4; i++) await fleet.stream.split();
      await fleet.sleep(3_000);
    },
  },
  {
    name: "merge",
    group,
    about: "four merges, one after the other",
    expects: { doubled: 0, noErrors: true },
    async run(fleet) {
      for (let i = 0; i < 4; i++) await fleet.stream.merge();
      await fleet.sleep(3_000);
    },
  },
  resharding(
    "reshard-kill",
    "around a kill -9",
    {
      doubled: {
        because: "processed after the last checkpoint of the worker that was killed",
        workers: 1,
        seconds: 4,
      },
      says: /dead/,
    },
    async (fleet) => {
      await fleet.sleep(1_500);
      fleet.begins();
      fleet.healed();
      fleet.kill(fleet.any());
      await fleet.sleep(fleet.failoverTimeMillis + 3_000);
    },
  ),
  resharding("reshard-deploy", "during a rolling deploy", { doubled: 0, noErrors: true }, rollingDeploy),
  resharding("reshard-table-throttled", "while DynamoDB throttles all workers", { doubled: 0 }, (fleet) =>
    during(fleet, { kind: "throttle", operations: ["DynamoDB.*"] }),
  ),
  resharding("reshard-table-drops", "while DynamoDB loses three answers of four", { doubled: 0 }, (fleet) =>
    during(fleet, { kind: "drop", operations: ["DynamoDB.*"], probability: 0.75 }),
  ),
  resharding("reshard-table-denied", "while DynamoDB denies access to all workers", { doubled: 0 }, (fleet) =>
    during(fleet, { ...denied, operations: ["DynamoDB.*"] }),
  ),
  resharding("reshard-stream-fails", "while Kinesis answers 500 to all workers", { doubled: 0 }, (fleet) =>
    during(fleet, { kind: "fail", operations: ["Kinesis.*"] }),
  ),
  resharding("reshard-stream-denied", "while Kinesis denies access to all workers", { doubled: 0 }, (fleet) =>
    during(fleet, { ...denied, operations: ["Kinesis.*"] }),
  ),
  resharding(
    "reshard-stream-empty",
    "while Kinesis answers `200 {}` to all workers",
    { doubled: 0 },
    (fleet) => during(fleet, { kind: "empty", operations: ["Kinesis.*"] }),
  ),
  resharding(
    "reshard-listing-fails",
    "while ListShards answers 500 to all workers",
    { doubled: 0 },
    (fleet) => during(fleet, { kind: "fail", operations: ["Kinesis.ListShards"] }),
  ),
  resharding("reshard-handler-down", "while every handler call fails", { doubled: 0 }, async (fleet) => {
    fleet.conduct({ kind: "fails" });
    await fleet.sleep(fleet.lasting(10_000));
    fleet.pausesAfterFailing(fleet.lasting(10_000));
    fleet.conduct({ kind: "works" });
  }),
];
