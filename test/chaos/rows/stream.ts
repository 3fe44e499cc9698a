/** Faults of Kinesis and CloudWatch. They put no lease at risk, so no record may be processed twice. */
import type { Fault } from "../fleet.ts";
import type { Row } from "../row.ts";
import { during } from "./table.ts";

const ALL = ["Kinesis.*"];
const SAYS_SOMETHING = /./;

const forAll = (name: string, about: string, fault: Fault, says?: RegExp): Row => ({
  name,
  group: "stream",
  about: `all workers: Kinesis ${about}`,
  expects: { doubled: 0, ...(says !== undefined && { says }) },
  run: (fleet) => during(fleet, fault),
});

const forOne = (name: string, about: string, fault: Omit<Fault, "only">, says: RegExp): Row => ({
  name,
  group: "stream",
  about: `one worker: Kinesis ${about}`,
  expects: { doubled: 0, says },
  run: (fleet) => during(fleet, { ...fault, only: fleet.any() }),
});

export const streamRows: readonly Row[] = [
  forAll(
    "stream-throttled",
    "throttles everything",
    { kind: "throttle", operations: ALL },
    /hrottl|hroughput/,
  ),
  forAll("stream-fails", "answers 500", { kind: "fail", operations: ALL }, SAYS_SOMETHING),
  forAll("stream-blackhole", "does not answer", { kind: "blackhole", operations: ALL }, SAYS_SOMETHING),
  forAll("stream-delayed", "answers 2 s late", { kind: "delay", operations: ALL, delayMillis: 2_000 }),
  forAll("stream-drops", "loses three answers of four", { kind: "drop", operations: ALL, probability: 0.75 }),
  forAll("stream-cut", "cuts three answers of four in the middle", {
    kind: "cut",
    operations: ALL,
    probability: 0.75,
  }),
  forAll("stream-empty", "answers `200 {}`", { kind: "empty", operations: ALL }, SAYS_SOMETHING),
  forAll(
    "stream-denied",
    "denies access",
    { kind: "error", operations: ALL, error: "AccessDeniedException" },
    /denied/i,
  ),
  forAll(
    "stream-expired",
    "refuses expired credentials",
    { kind: "error", operations: ALL, error: "ExpiredTokenException" },
    /expired/i,
  ),
  forAll("stream-iterators-expire", "refuses every other iterator as expired", {
    kind: "error",
    operations: ["Kinesis.GetRecords"],
    error: "ExpiredIteratorException",
    probability: 0.5,
  }),
  forOne(
    "stream-denied-one",
    "denies access",
    { kind: "error", operations: ALL, error: "AccessDeniedException" },
    /denied/i,
  ),
  forOne("stream-empty-one", "answers `200 {}`", { kind: "empty", operations: ALL }, SAYS_SOMETHING),
  forOne("stream-blackhole-one", "does not answer", { kind: "blackhole", operations: ALL }, SAYS_SOMETHING),
  {
    name: "metrics-unanswered",
    group: "metrics",
    about: "CloudWatch does not answer any worker, and two are stopped",
    expects: { doubled: 0 },
    async run(fleet) {
      await fleet.fault({ kind: "blackhole", operations: ["CloudWatch.*"] });
      // Longer than the engine's metrics interval: a call is in flight.
      await fleet.sleep(17_000);
      await Promise.all(fleet.some(2).map((worker) => fleet.terminate(worker)));
    },
  },
  {
    name: "metrics-denied",
    group: "metrics",
    about: "CloudWatch denies access to all workers",
    expects: { doubled: 0, says: /denied/i },
    async run(fleet) {
      fleet.begins();
      await fleet.fault({ kind: "error", operations: ["CloudWatch.*"], error: "AccessDeniedException" });
      await fleet.sleep(25_000);
    },
  },
];
