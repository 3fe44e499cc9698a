/**
 * Faults of DynamoDB. If they hit all workers alike, no record may be processed twice; if one worker, only
 * what it must repeat.
 */
import { type Fault, type FleetUnderTest, STOP_BUDGET_MILLIS } from "../fleet.ts";
import type { Row } from "../row.ts";

const group = "table" as const;
const ALL = ["DynamoDB.*"];
const WRITES = ["UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems"].map(
  (name) => `DynamoDB.${name}`,
);
const AFTER_A_CUT = "processed after the last checkpoint of the worker that was cut off";

/** The fault for three failover times. */
export async function during(fleet: FleetUnderTest, fault: Fault): Promise<void> {
  fleet.begins();
  await fleet.fault(fault);
  await fleet.sleep(fleet.lasting(3 * fleet.failoverTimeMillis));
  await fleet.clearFaults();
}

const forAll = (name: string, about: string, fault: Fault, says?: RegExp): Row => ({
  name,
  group,
  about: `all workers: DynamoDB ${about}`,
  expects: { doubled: 0, ...(says !== undefined && { says }) },
  run: (fleet) => during(fleet, fault),
});

const forOne = (name: string, about: string, fault: Omit<Fault, "only">, says: RegExp): Row => ({
  name,
  group,
  about: `one worker: DynamoDB ${about}`,
  // The worker continues until its heartbeat is no longer fresh.
  expects: { doubled: { because: AFTER_A_CUT, workers: 1, seconds: 10 }, says },
  async run(fleet) {
    const only = fleet.any();
    fleet.excuseFromNow(only, fleet.lasting(3 * fleet.failoverTimeMillis) + 5_000);
    // Its leases are taken over after the failover time, unless its heartbeats arrive: then it counts as
    // alive.
    if (fault.kind !== "drop") fleet.healed();
    await during(fleet, { ...fault, only });
  },
});

const SAYS_SOMETHING = /./;

export const tableRows: readonly Row[] = [
  forAll(
    "table-throttled",
    "throttles everything",
    { kind: "throttle", operations: ALL },
    /hrottl|hroughput/,
  ),
  forAll(
    "table-writes-throttled",
    "throttles every write",
    { kind: "throttle", operations: WRITES },
    /hrottl|hroughput/,
  ),
  forAll("table-fails", "answers 500", { kind: "fail", operations: ALL }, SAYS_SOMETHING),
  forAll("table-blackhole", "does not answer", { kind: "blackhole", operations: ALL }, SAYS_SOMETHING),
  forAll(
    "table-writes-blackhole",
    "does not answer writes",
    { kind: "blackhole", operations: WRITES },
    SAYS_SOMETHING,
  ),
  forAll(
    "table-delayed",
    "answers 3 s late",
    { kind: "delay", operations: ALL, delayMillis: 3_000 },
    SAYS_SOMETHING,
  ),
  forAll("table-drops", "performs writes and loses three answers of four", {
    kind: "drop",
    operations: WRITES,
    probability: 0.75,
  }),
  forAll("table-cut", "performs calls and cuts three answers of four in the middle", {
    kind: "cut",
    operations: ALL,
    probability: 0.75,
  }),
  forAll("table-fails-after", "performs writes and answers three of four with 500", {
    kind: "fail-after",
    operations: WRITES,
    probability: 0.75,
  }),
  forAll("table-conflicts", "refuses three writes of four as conflicting", {
    kind: "conflict",
    operations: WRITES,
    probability: 0.75,
  }),
  forAll("table-empty", "answers `200 {}`", { kind: "empty", operations: ALL }, SAYS_SOMETHING),
  {
    name: "table-empty-scan",
    group,
    about: "all workers: DynamoDB answers scans with `200 {}`, and one joins",
    expects: { doubled: 0 },
    async run(fleet) {
      fleet.launch();
      await during(fleet, { kind: "empty", operations: ["DynamoDB.Scan"] });
    },
  },
  forAll(
    "table-denied",
    "denies access",
    { kind: "error", operations: ALL, error: "AccessDeniedException" },
    /denied/i,
  ),
  forAll(
    "table-expired",
    "refuses expired credentials",
    { kind: "error", operations: ALL, error: "ExpiredTokenException" },
    /expired/i,
  ),
  forOne(
    "table-blackhole-one",
    "does not answer",
    { kind: "blackhole", operations: ALL },
    /dead|unreachable|fail/,
  ),
  forOne(
    "table-denied-one",
    "denies access",
    { kind: "error", operations: ALL, error: "AccessDeniedException" },
    /denied/i,
  ),
  forOne(
    "table-drops-one",
    "performs writes and loses every answer",
    { kind: "drop", operations: WRITES },
    SAYS_SOMETHING,
  ),
  {
    name: "table-blackhole-stop",
    group,
    about: "DynamoDB does not answer any worker while one is stopped",
    expects: { doubled: { because: AFTER_A_CUT, workers: 1, seconds: 10 }, says: SAYS_SOMETHING },
    async run(fleet) {
      const leaving = fleet.any();
      fleet.begins();
      await fleet.fault({ kind: "blackhole", operations: ALL });
      await fleet.sleep(1_000);
      fleet.excuseFromNow(leaving, STOP_BUDGET_MILLIS);
      await fleet.terminate(leaving);
      await fleet.clearFaults();
    },
  },
  {
    name: "table-drops-deploy",
    group,
    about: "DynamoDB performs writes and loses half the answers during a rolling deploy",
    expects: { doubled: 0 },
    async run(fleet) {
      await fleet.fault({ kind: "drop", operations: WRITES, probability: 0.5 });
      for (const old of fleet.running) {
        await fleet.start(1);
        await fleet.terminate(old);
      }
    },
  },
];
