import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { beforeEach, describe, expect, it } from "vitest";
import { cloudWatchMetrics } from "../../../src/adapters/cloudwatch/metrics.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Logger } from "../../../src/ports/logger.ts";
import type { Metrics } from "../../../src/ports/metrics.ts";
import { type Answer, type AnsweringServer, type Call, failure, startAnswering } from "./answering-server.ts";

/** Sleeps end when the test ends them. */
class HandClock implements Clock {
  #now = 0;
  #wake: (() => void) | undefined;
  readonly sleeps: number[] = [];
  wallMillis = () => 1_700_000_000_000 + this.#now;
  monotonicMillis = () => this.#now;
  sleep(millis: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(millis);
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }
  /** Ends the current sleep. */
  wake(): void {
    this.#now += this.sleeps.at(-1) ?? 0;
    this.#wake?.();
  }
  /** Ends the current sleep and resolves when the next one has begun: the work in between is done. */
  async pass(): Promise<void> {
    const before = this.sleeps.length;
    this.wake();
    while (this.sleeps.length === before) await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Datum {
  MetricName: string;
  Unit: string;
  Dimensions: { Name: string; Value: string }[];
  StatisticValues: { SampleCount: number; Sum: number; Minimum: number; Maximum: number };
}

describe("CloudWatch metrics", () => {
  let server: AnsweringServer;
  let client: CloudWatchClient;
  let clock: HandClock;
  let warnings: [object, string][];
  let logger: Logger;
  let answer: (call: Call) => Answer;
  let errors: [object, string][];

  beforeEach(async () => {
    answer = () => ({});
    server = await startAnswering((call) => answer(call));
    client = new CloudWatchClient({
      endpoint: server.url,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      maxAttempts: 1,
    });
    clock = new HandClock();
    warnings = [];
    errors = [];
    const ignore = () => undefined;
    logger = {
      debug: ignore,
      info: ignore,
      error: (fields, text) => errors.push([fields, text]),
      warn: (fields, text) => warnings.push([fields, text]),
    };
    return async () => {
      client.destroy();
      await server.close();
    };
  });

  const start = (level: "summary" | "detailed" = "summary"): Metrics =>
    cloudWatchMetrics({ client, namespace: "orders", clock, logger, level });
  const sent = (call: number): Datum[] => server.calls[call]?.body.MetricData as Datum[];

  it("adds measurements up and sends them in one call an interval", async () => {
    const metrics = start("detailed");
    for (const value of [5, 1, 9])
      metrics.record("Time", value, "Milliseconds", { Operation: "ProcessTask", ShardId: "s1" });
    metrics.record("Time", 4, "Milliseconds", { Operation: "ProcessTask", ShardId: "s2" });
    metrics.record("LostLeases", 1, "Count", { Operation: "RenewAllLeases", WorkerIdentifier: "w" });
    await clock.pass();
    expect(clock.sleeps[0]).toBe(15_000);
    expect(server.calls).toHaveLength(1);
    expect(server.calls[0]?.body.Namespace).toBe("orders");
    expect(sent(0)).toMatchObject([
      {
        MetricName: "Time",
        Dimensions: [{ Name: "Operation", Value: "ProcessTask" }],
        StatisticValues: { SampleCount: 4, Sum: 19, Minimum: 1, Maximum: 9 },
      },
      {
        MetricName: "Time",
        Unit: "Milliseconds",
        Dimensions: [
          { Name: "Operation", Value: "ProcessTask" },
          { Name: "ShardId", Value: "s1" },
        ],
        StatisticValues: { SampleCount: 3, Sum: 15, Minimum: 1, Maximum: 9 },
      },
      { MetricName: "Time", StatisticValues: { SampleCount: 1, Sum: 4, Minimum: 4, Maximum: 4 } },
      { MetricName: "LostLeases", Dimensions: [{ Name: "Operation", Value: "RenewAllLeases" }] },
      {
        MetricName: "LostLeases",
        Dimensions: [
          { Name: "Operation", Value: "RenewAllLeases" },
          { Name: "WorkerIdentifier", Value: "w" },
        ],
      },
    ]);
    await metrics.stop();
  });

  it("makes no call while there is nothing to say, and starts each interval anew", async () => {
    const metrics = start();
    metrics.record("A", 1, "Count", { Operation: "X" });
    await clock.pass();
    await clock.pass();
    expect(server.calls).toHaveLength(1);
    metrics.record("A", 2, "Count", { Operation: "X" });
    await clock.pass();
    expect([sent(0), sent(1)].map((data) => data[0]?.StatisticValues.Sum)).toEqual([1, 2]);
    await metrics.stop();
  });

  it("waits for nothing before the first measurement, so that a worker never started keeps no process alive", async () => {
    const metrics = start();
    expect(clock.sleeps).toEqual([]);
    metrics.record("A", 1, "Count", { Operation: "X" });
    expect(clock.sleeps).toEqual([15_000]);
    await metrics.stop();
  });

  it("sends what is left when it stops", async () => {
    const metrics = start();
    metrics.record("A", 1, "Count", { Operation: "X" });
    await metrics.stop();
    expect(sent(0)).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it("an ordinary stop sends all there is, what is measured during the last call too, and warns of nothing", async () => {
    const metrics = start("detailed");
    let isStopping = false;
    answer = () => {
      // Like a last lease that is handed over while the metrics are being sent.
      if (isStopping && server.calls.length === 1) metrics.record("late", 1, "Count", { Operation: "X" });
      return {};
    };
    for (let n = 0; n < 2_500; n++)
      metrics.record("A", 1, "Count", { Operation: "X", ShardId: `shardId-${n}` }, "detailed");
    isStopping = true;
    await metrics.stop();
    expect(server.calls.map((_, call) => sent(call).length)).toEqual([1_000, 1_000, 501]);
    expect(warnings).toEqual([]);
  });

  it("a stop during a flush waits for it, and warns of nothing", async () => {
    const metrics = start();
    metrics.record("A", 1, "Count", { Operation: "X" });
    clock.wake();
    metrics.record("B", 1, "Count", { Operation: "X" });
    await metrics.stop();
    expect(server.calls.flatMap((_, call) => sent(call).map(({ MetricName }) => MetricName))).toEqual([
      "A",
      "B",
    ]);
    expect(warnings).toEqual([]);
  });

  it("leaves detailed measurements out unless asked for", async () => {
    const metrics = start();
    metrics.record("A", 1, "Count", { Operation: "X" }, "detailed");
    await metrics.stop();
    expect(server.calls).toHaveLength(0);
    const detailed = start("detailed");
    detailed.record("A", 1, "Count", { Operation: "X" }, "detailed");
    await detailed.stop();
    expect(sent(0)).toHaveLength(1);
  });

  it("keeps what was not taken, adds to it, and complains once", async () => {
    answer = () => failure("ThrottlingException");
    const metrics = start();
    for (const value of [3, 4]) {
      metrics.record("A", value, "Count", { Operation: "X" });
      await clock.pass();
    }
    expect(warnings).toHaveLength(1);
    answer = () => ({});
    await clock.pass();
    expect(sent(2)[0]?.StatisticValues).toEqual({ SampleCount: 2, Sum: 7, Minimum: 3, Maximum: 4 });
    await metrics.stop();
  });

  it("never throws at stop, but says what was lost", async () => {
    answer = () => ({ cut: true });
    const metrics = start();
    metrics.record("A", 1, "Count", { Operation: "X" });
    await metrics.stop();
    expect(warnings.map(([, text]) => text)).toEqual([
      "CloudWatch did not take the metrics; they are kept for the next flush",
      "metrics were left unsent at stop",
    ]);
  });

  it("sends at most 1000 metrics a call, the oldest first, and keeps at most 5000", async () => {
    const metrics = start();
    for (let n = 0; n < 5_003; n++) metrics.record(`metric-${n}`, 1, "Count", { Operation: "X" });
    for (let interval = 0; interval < 5; interval++) await clock.pass();
    expect(server.calls.map((_, call) => [sent(call).length, sent(call)[0]?.MetricName])).toEqual(
      [0, 1, 2, 3, 4].map((call) => [1_000, `metric-${call * 1_000}`]),
    );
    expect(warnings).toEqual([
      [expect.objectContaining({ dropped: 3 }), expect.stringContaining("were dropped")],
    ]);
    await metrics.stop();
    expect(server.calls).toHaveLength(5);
  });

  it("drops what is no number, for which CloudWatch would refuse the rest", async () => {
    const metrics = start();
    metrics.record("A", Number.NaN, "Count", { Operation: "X" });
    metrics.record("B", 1, "Count", { Operation: "X" });
    await clock.pass();
    expect(sent(0).map((datum) => datum.MetricName)).toEqual(["B"]);
    expect(warnings).toHaveLength(1);
    await metrics.stop();
  });

  it("has as many series at the default level with a thousand shards and workers as with one", async () => {
    const metrics = start();
    const seriesWith = async (shards: number): Promise<string[]> => {
      for (let n = 0; n < shards; n++) {
        const shard = { Operation: "ProcessTask", ShardId: `shardId-${n}` };
        metrics.record("RecordsProcessed", n, "Count", shard);
        metrics.record("MillisBehindLatest", n, "Milliseconds", shard, "detailed");
        metrics.record("CurrentLeases", 6, "Count", {
          Operation: "RenewAllLeases",
          WorkerIdentifier: `w-${n}`,
        });
        metrics.record("Errors", 1, "Count", { Operation: "reading", ErrorClass: "denied" });
      }
      await clock.pass();
      return sent(server.calls.length - 1).map(({ MetricName, Dimensions }) =>
        [MetricName, ...Dimensions.map(({ Value }) => Value)].join(" "),
      );
    };
    const few = await seriesWith(1);
    expect(few).toEqual([
      "RecordsProcessed ProcessTask",
      "CurrentLeases RenewAllLeases",
      "Errors reading denied",
    ]);
    expect(await seriesWith(1_000)).toEqual(few);
    expect(sent(1)[0]?.StatisticValues).toEqual({
      SampleCount: 1_000,
      Sum: 499_500,
      Minimum: 0,
      Maximum: 999,
    });
    await metrics.stop();
  });

  it("sends dimensions that CloudWatch takes, whatever they are made of", async () => {
    const metrics = start("detailed");
    const odd = ["w\u00f6rker-\u{1f600}", ":w", "", "   ", "a\nb", "x".repeat(300)];
    for (const WorkerIdentifier of odd) metrics.record("A", 1, "Count", { Operation: "X", WorkerIdentifier });
    await metrics.stop();
    const values = sent(0).flatMap(({ Dimensions }) => Dimensions.slice(1).map(({ Value }) => Value));
    expect(values).toEqual(["w_rker-__", "_w", "_", "a_b", "x".repeat(255)]);
    for (const value of values) expect(value).toMatch(/^(?!:)(?=.*\S)[\x20-\x7e]{1,255}$/);
  });

  describe("when CloudWatch refuses a series", () => {
    const REFUSAL = failure("InvalidParameterValueException");
    const names = (call: Call) => (call.body.MetricData as Datum[]).map(({ MetricName }) => MetricName);

    it("sends the others, tells which it was, and does not send it again", async () => {
      answer = (call) => (names(call).includes("metric-617") ? REFUSAL : {});
      const metrics = start();
      const record = () => {
        for (let n = 0; n < 1_000; n++) metrics.record(`metric-${n}`, 1, "Count", { Operation: "X" });
      };
      record();
      await clock.pass();
      const accepted = server.calls.filter((call) => !names(call).includes("metric-617")).flatMap(names);
      expect(new Set(accepted).size).toBe(999);
      expect(accepted).toHaveLength(999);
      expect(errors.map(([fields]) => fields)).toEqual([
        { metric: "metric-617", dimensions: { Operation: "X" } },
      ]);
      const calls = server.calls.length;
      expect(calls).toBeLessThanOrEqual(24);
      record();
      await clock.pass();
      expect(server.calls).toHaveLength(calls + 1);
      expect(sent(calls)).toHaveLength(999);
      await metrics.stop();
    });

    it("and every other as well, keeps them all, and does not make a storm of it", async () => {
      answer = () => REFUSAL;
      const metrics = start();
      for (let n = 0; n < 1_000; n++) metrics.record(`metric-${n}`, 1, "Count", { Operation: "X" });
      await clock.pass();
      expect(server.calls.length).toBeLessThanOrEqual(24);
      expect(warnings).toHaveLength(1);
      answer = () => ({});
      const calls = server.calls.length;
      await clock.pass();
      expect(sent(calls)).toHaveLength(1_000);
      await metrics.stop();
    });
  });

  it("does not let a CloudWatch that does not answer delay a stop by more than a second", async () => {
    answer = () => ({ hang: true });
    const metrics = start();
    metrics.record("A", 1, "Count", { Operation: "X" });
    let isStopped = false;
    const stopped = metrics.stop().then(() => {
      isStopped = true;
    });
    await until(() => server.calls.length === 1);
    expect(isStopped).toBe(false);
    expect(clock.sleeps.at(-1)).toBe(1_000);
    clock.wake();
    await stopped;
    expect(warnings.map(([, text]) => text)).toEqual([
      "CloudWatch has not taken the last metrics within 1000 ms: they are lost",
    ]);
  });

  it("nor does one that has not answered the flush before", async () => {
    answer = () => ({ hang: true });
    const metrics = start();
    metrics.record("A", 1, "Count", { Operation: "X" });
    clock.wake();
    await until(() => server.calls.length === 1);
    const stopped = metrics.stop();
    await until(() => clock.sleeps.at(-1) === 1_000);
    clock.wake();
    await stopped;
    expect(warnings).toHaveLength(1);
  });
});

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
};
