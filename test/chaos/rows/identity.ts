/**
 * Mistaken identities: two workers with one id, workers with unequal settings, a stream that was replaced.
 */
import type { FleetUnderTest } from "../fleet.ts";
import type { Row } from "../row.ts";
import { rollingDeploy } from "./processes.ts";
import { reshardingDuring } from "./reshards.ts";

const group = "identity" as const;
const REFUSED_WITHIN_MILLIS = 30_000;

/** Starts a worker that must not join the fleet, and must report why. */
async function mustBeRefused(
  fleet: FleetUnderTest,
  workerId: string | undefined,
  why: RegExp,
): Promise<void> {
  const worker = fleet.launch(workerId === undefined ? {} : { workerId });
  const refused = await Promise.race([
    worker.ended,
    worker.joined.then(() => "joined" as const).catch(() => worker.ended),
    fleet.sleep(REFUSED_WITHIN_MILLIS).then(() => "undecided" as const),
  ]);
  const isRefused = typeof refused === "object" && refused.code === 1;
  fleet.checks.push({
    name: `the second ${worker.workerId} is refused`,
    expected: `exit 1 within ${REFUSED_WITHIN_MILLIS} ms, saying ${why.source}`,
    actual: typeof refused === "object" ? `exit ${refused.code}: ${worker.problems}` : refused,
    ok: isRefused && why.test(worker.problems),
  });
  if (!isRefused) worker.signal("SIGKILL");
}

export const identityRows: readonly Row[] = [
  {
    name: "namesake",
    group,
    about: "a second process with the worker id of a living one",
    expects: { doubled: 0 },
    async run(fleet) {
      await mustBeRefused(fleet, fleet.any().workerId, /workerId|worker id/i);
    },
  },
  {
    name: "failover-unequal",
    group,
    about: "failover times of 4 and 12 s in one fleet: one of the latter stops for 8 s",
    failoverTimesMillis: [4_000, 4_000, 12_000, 12_000],
    expects: { doubled: 0, noErrors: true },
    async run(fleet) {
      await fleet.sleep(6_000);
      const slow = fleet.running.find(({ failoverTimeMillis }) => failoverTimeMillis === 12_000);
      await fleet.pause(slow!, 8_000, false);
    },
  },
  {
    name: "failover-deploy",
    group,
    about: "a rolling deploy that raises the failover time from 4 to 12 s",
    expects: { doubled: 0, noErrors: true },
    async run(fleet) {
      for (const old of fleet.running) {
        await fleet.start(1, { failoverTimeMillis: 12_000 });
        await fleet.terminate(old);
      }
    },
  },
  {
    name: "stream-remade",
    group,
    about: "the stream is deleted and made again under its name; then a worker starts",
    expects: {
      doubled: 0,
      says: /made again|remade|onStreamReplaced/,
    },
    async run(fleet) {
      // Unread records would be lost with the stream, and not because of the fleet.
      await fleet.drain();
      fleet.begins();
      await fleet.stream.remake(8);
      await fleet.sleep(REFUSED_WITHIN_MILLIS);
      await mustBeRefused(fleet, undefined, /made again|remade|onStreamReplaced/);
    },
  },
  {
    name: "everything",
    group,
    about:
      "a rolling deploy with splits and merges while DynamoDB and Kinesis lose, delay and refuse one call in ten",
    expects: { doubled: 0 },
    async run(fleet) {
      const operations = ["DynamoDB.*", "Kinesis.*"];
      await fleet.fault({ kind: "drop", operations, probability: 0.03 });
      await fleet.fault({ kind: "delay", operations, probability: 0.04, delayMillis: 500 });
      await fleet.fault({ kind: "throttle", operations, probability: 0.04 });
      await reshardingDuring(fleet, rollingDeploy(fleet));
    },
  },
];
