/** Processes that end, stop, start and leave. */
import type { FleetUnderTest } from "../fleet.ts";
import type { Row } from "../row.ts";

const AFTER_A_CRASH = "processed after the last checkpoint of the worker that was killed";
const AFTER_A_PAUSE =
  "processed after the last checkpoint of the worker that was stopped, and what it had in hand";
/** A checkpoint interval, and the time to write a checkpoint. */
const REPLAY_SECONDS = 4;

const group = "processes" as const;
const NOTHING_WRONG = { doubled: 0, noErrors: true } as const;

export const processRows: readonly Row[] = [
  {
    name: "kill",
    group,
    about: "kill -9 of one worker",
    expects: { doubled: { because: AFTER_A_CRASH, workers: 1, seconds: REPLAY_SECONDS }, says: /dead/ },
    async run(fleet) {
      fleet.begins();
      fleet.healed();
      fleet.kill(fleet.any());
      await fleet.sleep(fleet.failoverTimeMillis + 3_000);
    },
  },
  {
    name: "kill-half",
    group,
    about: "kill -9 of two of four workers at once, the leading one among them",
    expects: { doubled: { because: AFTER_A_CRASH, workers: 2, seconds: REPLAY_SECONDS }, says: /dead/ },
    async run(fleet) {
      const [leader, ...rest] = fleet.running.toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1));
      fleet.begins();
      fleet.healed();
      fleet.kill(leader!);
      fleet.kill(rest[Math.floor(fleet.random.next() * rest.length)]!);
      await fleet.sleep(fleet.failoverTimeMillis + 3_000);
    },
  },
  {
    name: "kill-all",
    group,
    about: "kill -9 of all workers at once; a new fleet starts",
    expects: { doubled: { because: AFTER_A_CRASH, workers: 4, seconds: REPLAY_SECONDS } },
    async run(fleet) {
      fleet.begins();
      for (const worker of fleet.running) fleet.kill(worker);
      await fleet.start(4);
      fleet.healed();
      await fleet.sleep(fleet.failoverTimeMillis);
    },
  },
  {
    name: "crash-loop",
    group,
    about: "a version that dies a moment after joining, three times",
    expects: { doubled: { because: AFTER_A_CRASH, workers: 4, seconds: REPLAY_SECONDS }, says: /dead/ },
    async run(fleet) {
      fleet.begins();
      for (let i = 0; i < 3; i++) {
        const [worker] = await fleet.start(1);
        await fleet.sleep(500 + fleet.random.next() * 2_000);
        fleet.kill(worker!);
      }
      fleet.healed();
      await fleet.sleep(fleet.failoverTimeMillis);
    },
  },
  {
    name: "pause",
    group,
    about: "SIGSTOP of one worker for three failover times, then SIGCONT",
    expects: {
      doubled: { because: AFTER_A_PAUSE, workers: 1, seconds: REPLAY_SECONDS },
      says: /dead|paused/,
    },
    async run(fleet) {
      fleet.begins();
      fleet.healed();
      await fleet.pause(fleet.any(), fleet.lasting(3 * fleet.failoverTimeMillis), true);
    },
  },
  {
    name: "pause-short",
    group,
    about: "SIGSTOP of one worker for a third of the failover time",
    expects: NOTHING_WRONG,
    async run(fleet) {
      await fleet.pause(fleet.any(), fleet.failoverTimeMillis / 3, false);
    },
  },
  {
    name: "pause-all",
    group,
    about: "SIGSTOP of all workers for three failover times (a suspended machine), then SIGCONT",
    expects: { doubled: 0 },
    async run(fleet) {
      const millis = fleet.lasting(3 * fleet.failoverTimeMillis);
      await Promise.all(fleet.running.map((worker) => fleet.pause(worker, millis, false)));
    },
  },
  {
    name: "rolling-deploy",
    group,
    about: "a new worker starts, an old one stops, four times",
    expects: NOTHING_WRONG,
    run: rollingDeploy,
  },
  {
    name: "term-storm",
    group,
    about: "SIGTERM to one worker after the other while new ones start, no waiting in between",
    expects: NOTHING_WRONG,
    async run(fleet) {
      const endings = [];
      for (const old of fleet.running) {
        fleet.launch();
        await fleet.sleep(200 + fleet.random.next() * 800);
        endings.push(fleet.terminate(old));
      }
      await Promise.all(endings);
      await Promise.all(fleet.running.map((worker) => worker.joined));
    },
  },
  {
    name: "term-all",
    group,
    about: "SIGTERM to all workers at once; a new fleet starts",
    expects: NOTHING_WRONG,
    async run(fleet) {
      await Promise.all(fleet.running.map((worker) => fleet.terminate(worker)));
      await fleet.start(4);
    },
  },
  {
    name: "scale",
    group,
    about: "four workers become seven, then three",
    expects: NOTHING_WRONG,
    async run(fleet) {
      await fleet.start(3);
      await fleet.until(10_000, () => fleet.isEven());
      await Promise.all(fleet.some(4).map((worker) => fleet.terminate(worker)));
    },
  },
];

export async function rollingDeploy(fleet: FleetUnderTest): Promise<void> {
  for (const old of fleet.running) {
    await fleet.start(1);
    await fleet.terminate(old);
  }
}
