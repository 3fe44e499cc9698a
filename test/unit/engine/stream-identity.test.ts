/**
 * A stream that is deleted and created again under its name while a fleet reads it. Every worker notices by
 * what is refused, and ends with the remedy or begins again (`onStreamReplaced`). No position moves, no
 * checkpoint is written.
 */
import { describe, expect, it } from "vitest";
import type { StreamIdentity } from "../../../src/core/application.ts";
import { IdentifiedStream } from "../../../src/engine/stream-identity.ts";
import { type Shard, type Stream, StreamError, type StreamErrorClass } from "../../../src/ports/stream.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { Cluster } from "../../simulation/cluster.ts";
import { coordinatorOn } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";
import { memoryStream, streamRules } from "../../simulation/world/memory-stream.ts";
import { EPOCH_MILLIS } from "../../simulation/world/sim-clock.ts";
import { StreamData } from "../../simulation/world/stream-data.ts";
import { shard } from "../reader/shard-world.ts";

const ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
const madeAt = (createdMillis: number): StreamIdentity => ({ arn: ARN, createdMillis });

function guarded(describeStream: () => Promise<StreamIdentity>) {
  const clock = new VirtualClock();
  const fails: { problem: StreamErrorClass | undefined } = { problem: undefined };
  const call = async <T>(answer: T): Promise<T> => {
    if (fails.problem !== undefined) throw new StreamError(fails.problem, `drawn: ${fails.problem}`);
    return answer;
  };
  const shards: Shard[] = [];
  const stream: Stream = {
    listShards: () => call(shards),
    iterator: () => call("iterator"),
    read: () => call({ records: [], nextIterator: "next", children: undefined, millisBehindLatest: 0 }),
  };
  const told: Error[] = [];
  let asked = 0;
  const identified = new IdentifiedStream({
    clock,
    stream,
    describeStream: async () => {
      asked += 1;
      return { identity: await describeStream(), keepsOrderPerKey: true };
    },
    replaced: (error) => told.push(error),
  });
  return { identified, fails, shards, told, clock, asked: () => asked };
}

const errorFrom = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "none",
    (error: unknown) => (error instanceof StreamError ? error.problem : error),
  );

describe("a refusal of the stream", () => {
  it("is passed on when the stream is the same, after one question for many shards", async () => {
    const { identified, fails, told, asked, clock } = guarded(async () => madeAt(1));
    identified.bind(madeAt(1));
    fails.problem = "invalid";
    const calls = Array.from({ length: 20 }, () => errorFrom(identified.iterator("s", { kind: "latest" })));
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["invalid"]));
    expect(asked()).toBe(1);
    await clock.advance(2_000);
    await errorFrom(identified.read("i", 1));
    expect(asked()).toBe(2);
    expect(told).toEqual([]);
  });

  it("does not pass, and is told once, when the stream is another one", async () => {
    const { identified, fails, told } = guarded(async () => madeAt(2));
    identified.bind(madeAt(1));
    fails.problem = "invalid";
    expect(await errorFrom(identified.read("i", 1))).toBe("not-found");
    expect(await errorFrom(identified.read("i", 1))).toBe("not-found");
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ code: "STREAM_REPLACED" });
  });

  it("is held back while the identity cannot be asked for, and passed on where that is not allowed", async () => {
    let answer: () => Promise<StreamIdentity> = () =>
      Promise.reject(new StreamError("unavailable", "no answer"));
    const { identified, fails, told } = guarded(() => answer());
    identified.bind(madeAt(1));
    fails.problem = "invalid";
    expect(await errorFrom(identified.read("i", 1))).toBe("unavailable");
    answer = () => Promise.reject(new StreamError("denied", "not allowed"));
    expect(await errorFrom(identified.read("i", 1))).toBe("invalid");
    expect(told).toEqual([]);
  });

  it("asks nothing for failures that say nothing about the stream, or where the table is not bound", async () => {
    const { identified, fails, asked } = guarded(async () => madeAt(2));
    fails.problem = "invalid";
    expect(await errorFrom(identified.read("i", 1))).toBe("invalid");
    identified.bind(madeAt(1));
    for (const problem of ["throttled", "unavailable", "denied", "expired-iterator"] as const) {
      fails.problem = problem;
      expect(await errorFrom(identified.read("i", 1))).toBe(problem);
    }
    expect(asked()).toBe(0);
  });

  it("makes a listing that works again prove whose it is", async () => {
    const { identified, fails, shards, told } = guarded(async () => madeAt(2));
    identified.bind(madeAt(1));
    shards.push(shard("s1"));
    fails.problem = "not-found";
    expect(await errorFrom(identified.listShards())).toBe("not-found");
    fails.problem = undefined;
    expect(await errorFrom(identified.listShards())).toBe("not-found");
    expect(told).toHaveLength(1);
  });
});

describe("a listing", () => {
  it("without a shard is none", async () => {
    const { identified, shards } = guarded(async () => madeAt(1));
    expect(await errorFrom(identified.listShards())).toBe("malformed-answer");
    shards.push(shard("s1"));
    expect(await identified.listShards()).toHaveLength(1);
  });

  it("in which a known shard begins with another number proves whose it is; a new shard is no reason", async () => {
    const { identified, shards, told, asked } = guarded(async () => madeAt(2));
    identified.bind(madeAt(1));
    shards.push({ ...shard("s1"), startingSequenceNumber: "49001" });
    await identified.listShards();
    shards.push({ ...shard("s2"), startingSequenceNumber: "49005" });
    await identified.listShards();
    expect(asked()).toBe(0);
    shards[0] = { ...shard("s1"), startingSequenceNumber: "49777" };
    expect(await errorFrom(identified.listShards())).toBe("not-found");
    expect(told).toHaveLength(1);
  });
});

async function remadeUnder(onStreamReplaced: "refuse" | "start-over") {
  const cluster = new Cluster(
    faultFreeSwarm({ shards: 8, latencyMillis: { low: 1, high: 4 } }),
    (ports, options) => {
      const renewed = memoryStream(remade.data, streamRules(), {
        worker: options.workerId,
        now: () => scheduler.now,
      });
      const missing = () => Promise.reject(new StreamError("not-found", "the stream does not exist"));
      const current = (): Stream =>
        remade.state === "old"
          ? ports.stream
          : remade.state === "missing"
            ? { listShards: missing, iterator: missing, read: missing }
            : renewed;
      const coordinator = coordinatorOn(
        {
          ...ports,
          stream: {
            listShards: () => current().listShards(),
            iterator: (shardId, position) => current().iterator(shardId, position),
            read: (iterator, maxRecords) => current().read(iterator, maxRecords),
          },
          describeStream: async () => {
            if (remade.state === "missing") return missing();
            const createdMillis = EPOCH_MILLIS + (remade.state === "old" ? 0 : 30_000);
            return { identity: madeAt(createdMillis), keepsOrderPerKey: true };
          },
        },
        options,
        {
          onStreamReplaced,
          processRecords: ({ records, shardId }) => {
            for (const { sequenceNumber } of records)
              handled.push(`${remade.state} ${shardId} ${sequenceNumber}`);
          },
          observe: (event) => {
            if (event.type === "error" && event.hasEnded)
              failures.push({ worker: options.workerId, error: event.error });
          },
        },
      );
      coordinators.push(coordinator);
      return { start: () => coordinator.start(), stop: async () => (await coordinator.stop(5_000)).join() };
    },
  );
  const { scheduler, table, history } = cluster;
  const remade = {
    state: "old" as "old" | "missing" | "new",
    data: new StreamData(8, undefined, () => scheduler.now),
  };
  const coordinators: ReturnType<typeof coordinatorOn>[] = [];
  const handled: string[] = [];
  const failures: { worker: string; error: Error }[] = [];
  for (let index = 0; index < 3; index++) cluster.startWorker();
  cluster.putSome(100);
  await scheduler.run(20_000);
  const before = history.events.length;
  remade.state = "missing";
  await scheduler.run(scheduler.now + 8_000);
  remade.state = "new";
  const hash = (2n ** 128n - 1n) / 50n;
  for (let n = 0; n < 50; n++) remade.data.put(`key-${n}`, hash * BigInt(n), n);
  await scheduler.run(scheduler.now + 30_000);
  const checkpoints = history.events
    .slice(before)
    .filter((event) => event.type === "write" && event.operation === "checkpoint");
  const putBefore = history.events.filter(({ type }) => type === "put").length;
  return { failures, handled, putBefore, coordinators, checkpoints, table, cluster };
}

describe("a stream that is made again under a running fleet", () => {
  it("ends every worker with the remedy within 30 s; nothing of it is read, no checkpoint is written", async () => {
    const { failures, handled, putBefore, coordinators, checkpoints } = await remadeUnder("refuse");
    expect(new Set(failures.map(({ worker }) => worker))).toEqual(new Set(["w1", "w2", "w3"]));
    for (const { error } of failures) expect(error).toMatchObject({ code: "STREAM_REPLACED" });
    expect(coordinators.map((coordinator) => coordinator.status().state)).toEqual([
      "failed",
      "failed",
      "failed",
    ]);
    expect(handled.filter((line) => line.startsWith("new"))).toEqual([]);
    expect(handled.filter((line) => line.startsWith("old"))).toHaveLength(putBefore);
    expect(checkpoints).toEqual([]);
  });

  it("is read from its beginning where that is asked for, each record once", async () => {
    const { failures, handled, coordinators, table, cluster } = await remadeUnder("start-over");
    expect(failures).toEqual([]);
    const fresh = handled.filter((line) => line.startsWith("new"));
    expect(fresh).toHaveLength(50);
    expect(new Set(fresh).size).toBe(50);
    const owners = table.leases().map(({ owner }) => owner);
    expect(new Set(owners)).toEqual(new Set(["w1", "w2", "w3"]));
    expect(owners).toHaveLength(8);
    for (const worker of cluster.up()) cluster.stopWorker(worker);
    await cluster.scheduler.run(cluster.scheduler.now + 6_000);
    expect(coordinators.map((coordinator) => coordinator.status().state)).toEqual([
      "stopped",
      "stopped",
      "stopped",
    ]);
  });
});
