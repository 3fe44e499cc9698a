/** Faults in the handler, or behind it. */
import type { Row } from "../row.ts";
import { rollingDeploy } from "./processes.ts";

const group = "handler" as const;

export const handlerRows: readonly Row[] = [
  {
    name: "handler-down",
    group,
    about: "every handler call fails on every worker (a downstream outage)",
    expects: { doubled: 0, says: /failed|failing|downstream/ },
    async run(fleet) {
      fleet.begins();
      fleet.conduct({ kind: "fails" });
      await fleet.sleep(fleet.lasting(15_000));
      fleet.pausesAfterFailing(fleet.lasting(15_000));
      fleet.conduct({ kind: "works" });
    },
  },
  {
    name: "handler-down-one",
    group,
    about: "every handler call fails on one worker",
    expects: { doubled: 0, says: /failed|failing|downstream/ },
    async run(fleet) {
      const [poisoned] = fleet.some(1);
      fleet.begins();
      fleet.conduct({ kind: "fails" }, [poisoned!]);
      await fleet.sleep(fleet.lasting(12_000));
      fleet.pausesAfterFailing(fleet.lasting(12_000));
      fleet.conduct({ kind: "works" });
    },
  },
  {
    name: "handler-down-deploy",
    group,
    about: "a rolling deploy while every handler call of the old workers fails",
    expects: { doubled: 0, says: /failed|failing|downstream/ },
    async run(fleet) {
      fleet.begins();
      fleet.conduct({ kind: "fails" });
      // Longer than the wait for errors that pass by themselves. A deploy replaces four workers in less than
      // that.
      await fleet.sleep(6_000);
      await rollingDeploy(fleet);
    },
  },
  {
    name: "handler-slow",
    group,
    about: "each handler call takes 1.5 s on every worker, and a worker joins meanwhile",
    expects: { doubled: 0 },
    async run(fleet) {
      fleet.conduct({ kind: "slow", millis: 1_500 });
      await fleet.start(1);
      fleet.conduct({ kind: "slow", millis: 1_500 });
      await fleet.sleep(fleet.lasting(10_000));
      fleet.conduct({ kind: "works" });
    },
  },
  {
    name: "handler-hangs",
    group,
    about: "the handler of one worker does not return for 20 s",
    expects: { doubled: 0, says: /handler|processRecords/ },
    async run(fleet) {
      const [poisoned] = fleet.some(1);
      fleet.begins();
      fleet.conduct({ kind: "hangs" }, [poisoned!]);
      await fleet.sleep(fleet.lasting(20_000));
      fleet.conduct({ kind: "works" });
    },
  },
  {
    name: "loop-blocked",
    group,
    about: "the handler of one worker holds its event loop for two failover times",
    expects: {
      doubled: {
        because:
          "processed after the last checkpoint of the worker that was blocked, and what it had in hand",
        workers: 1,
        seconds: 14,
      },
      says: /dead|event loop|paused|blocked/,
    },
    async run(fleet) {
      const [poisoned] = fleet.some(1);
      const millis = fleet.lasting(2 * fleet.failoverTimeMillis);
      const blocking = poisoned!.blocking();
      fleet.begins();
      fleet.healed();
      fleet.conduct({ kind: "blocks", millis, times: 1 }, [poisoned!]);
      await fleet.within(10_000, "a handler call", blocking);
      fleet.excuseFromNow(poisoned!, millis + 3_000);
      await fleet.sleep(millis + 3_000);
    },
  },
  {
    name: "loop-blocked-all",
    group,
    about: "every handler holds its event loop for two thirds of the failover time, ten times",
    expects: { doubled: 0, says: /event loop|blocked/ },
    async run(fleet) {
      const millis = Math.round((2 / 3) * fleet.failoverTimeMillis);
      fleet.begins();
      fleet.conduct({ kind: "blocks", millis, times: 10 });
      await fleet.sleep(10 * millis + 2_000);
    },
  },
];
