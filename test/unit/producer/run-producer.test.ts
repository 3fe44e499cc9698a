import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CountedRecord, HistoryEvent } from "../../../services/contract/history.ts";
import {
  afterFailure,
  type BatchAnswer,
  type PutBatch,
  UnusableStream,
} from "../../../services/producer/put-batch.ts";
import { type ProducerOptions, runProducer } from "../../../services/producer/run-producer.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { type Random, seededRandom } from "../../../src/ports/random.ts";

/** Time that passes when all callers sleep: the earliest sleeper wakes after pending promises have run. */
class SleepersClock implements Clock {
  now = 0;
  #sleepers: { at: number; wake: () => void }[] = [];
  wallMillis = () => 1_000_000 + this.now;
  monotonicMillis = () => this.now;
  sleep(millis: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#sleepers.push({ at: this.now + millis, wake });
      signal?.addEventListener("abort", wake, { once: true });
    });
  }
  async until(done: Promise<unknown>): Promise<void> {
    let finished = false;
    const settle = () => {
      finished = true;
    };
    done.then(settle, settle);
    for (;;) {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      if (finished) return;
      this.#sleepers.sort((a, b) => a.at - b.at);
      const next = this.#sleepers.shift();
      if (next === undefined) throw new Error("everybody waits, and nobody for time");
      this.now = Math.max(this.now, next.at);
      next.wake();
    }
  }
}

interface Run {
  readonly stored: CountedRecord[];
  readonly history: HistoryEvent[];
  readonly clock: SleepersClock;
  readonly logged: string[];
}

/**
 * Runs a producer for `millis` of virtual time against a stream in memory. `fate` decides the outcome of each
 * call.
 */
async function produce(
  fate: (
    records: readonly CountedRecord[],
    random: Random,
    clock: Clock,
  ) => Promise<BatchAnswer | { fail: Set<number> }>,
  { millis, seed = 1, ...given }: { millis: number; seed?: number } & Partial<ProducerOptions>,
): Promise<Run & { result: Awaited<ReturnType<typeof runProducer>> }> {
  const clock = new SleepersClock();
  const random = seededRandom(seed);
  const stored: CountedRecord[] = [];
  const history: HistoryEvent[] = [];
  const logged: string[] = [];
  const putBatch: PutBatch = async (records) => {
    const answer = await fate(records, random, clock);
    if (!("fail" in answer)) return answer;
    return {
      kind: "answered",
      records: records.map((record, i) => {
        if (answer.fail.has(i)) return { kind: "failed", code: "ProvisionedThroughputExceededException" };
        stored.push({ key: record.key, n: record.n });
        return { kind: "put", shardId: "shardId-0", sequenceNumber: String(stored.length) };
      }),
    };
  };
  const stop = new AbortController();
  const log = (_: object, message: string) => void logged.push(message);
  const running = runProducer({
    putBatch,
    rate: 200,
    keys: 20,
    skew: 0,
    keyPrefix: "p",
    history: { write: (event) => void history.push(event), ready: async () => undefined },
    log: { info: log, warn: log },
    clock,
    random,
    signal: stop.signal,
    ...given,
  });
  void clock.sleep(millis).then(() => stop.abort());
  await clock.until(running);
  return { stored, history, clock, logged, result: await running };
}

const none = { fail: new Set<number>() };
const puts = (history: readonly HistoryEvent[]) => history.filter((event) => event.type === "put");

describe("runProducer", () => {
  test("puts at the wanted rate, numbers every key from 1, and writes each into the history as the stream stored it", async () => {
    const { stored, history, result } = await produce(async () => none, { millis: 10_000 });
    expect(stored.length).toBeGreaterThanOrEqual(1_980);
    expect(stored.length).toBeLessThanOrEqual(2_000);
    expect(result).toEqual({ put: stored.length, failedAttempts: 0, unknown: 0, outstanding: 0 });
    expect(puts(history).map(({ key, n, sequenceNumber }) => ({ key, n, sequenceNumber }))).toEqual(
      stored.map((record, i) => ({ ...record, sequenceNumber: String(i + 1) })),
    );
    expectInOrder(stored);
  });

  test("partial failures, slow calls, refusals and lost answers: the order of each key holds, and nothing is put twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.double({ min: 0, max: 0.6, noNaN: true }),
        fc.double({ min: 0, max: 0.2, noNaN: true }),
        async (seed, failing, losing) => {
          const late: CountedRecord[][] = [];
          const { stored, history, result } = await produce(
            async (records, random, clock) => {
              await clock.sleep(random.next() * 400);
              if (random.next() < failing / 4) return { kind: "refused", problem: "throttled" };
              if (random.next() < losing) {
                // The outcome stays unknown: the stream may have taken them.
                late.push(records.map(({ key, n }) => ({ key, n })));
                return { kind: "unknown", problem: "timed out" };
              }
              return { fail: new Set(records.flatMap((_, i) => (random.next() < failing ? [i] : []))) };
            },
            { millis: 3_000, seed, skew: 1 },
          );
          expectInOrder(stored);
          // Even if all of the lost ones arrive in the end.
          expectInOrder([...stored, ...late.flat()]);
          const unknown = history.filter((event) => event.type === "event" && event.name === "put-unknown");
          expect(unknown).toHaveLength(late.flat().length);
          expect(result.unknown).toBe(unknown.length);
          expect(puts(history)).toHaveLength(stored.length);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("a stream that takes nothing for a while is not flooded afterwards, and what waits stays bounded", async () => {
    const sizes: number[] = [];
    const { logged, stored } = await produce(
      async (records, _, clock) => {
        if (clock.monotonicMillis() < 20_000) return { kind: "refused", problem: "throttled" };
        sizes.push(records.length);
        return none;
      },
      { millis: 40_000, onProgress: ({ outstanding }) => expect(outstanding).toBeLessThanOrEqual(500) },
    );
    expect(logged).toContain("the stream takes less than the wanted rate: making fewer records");
    expect(logged).toContain("the wanted rate is reached again");
    expect(stored.length).toBeLessThanOrEqual(200 * 20 + 500 + 200);
    expectInOrder(stored);
  });

  test("stopping sends what waits, and ends within the stop budget when the stream does not answer", async () => {
    const slow = await produce(
      async (_, __, clock) => {
        await clock.sleep(300);
        return none;
      },
      { millis: 1_050 },
    );
    expect(slow.result.outstanding).toBe(0);
    expect(slow.result.put).toBeGreaterThanOrEqual(190);
    const away = await produce(async () => ({ kind: "refused", problem: "down" }), { millis: 1_000 });
    expect(away.clock.now).toBeLessThanOrEqual(1_000 + 5_000);
    expect(away.result.put).toBe(0);
  });

  test("an unusable stream ends it with the reason", async () => {
    const nonRetryable = async (): Promise<BatchAnswer> => {
      throw new UnusableStream(
        "cannot put records into stream orders: ResourceNotFoundException: no such stream",
      );
    };
    await expect(produce(nonRetryable, { millis: 1_000 })).rejects.toThrow(
      /stream orders: ResourceNotFoundException/,
    );
  });
});

/** Per key: 1, 2, 3, … */
function expectInOrder(stored: readonly CountedRecord[]): void {
  const last = new Map<string, number>();
  for (const { key, n } of stored) {
    if (n !== (last.get(key) ?? 0) + 1) expect.fail(`${key}: ${n} comes after ${last.get(key) ?? 0}`);
    last.set(key, n);
  }
}

describe("what a failed call says about its records", () => {
  const failure = (fields: object) => Object.assign(new Error("boom"), fields);
  test.each([
    [{ name: "ProvisionedThroughputExceededException", $fault: "client" }, "refused"],
    [{ name: "Error", code: "ECONNREFUSED" }, "refused"],
    [{ name: "TimeoutError" }, "unknown"],
    [{ name: "Error", code: "ECONNRESET" }, "unknown"],
    [{ name: "InternalFailure", $fault: "server" }, "unknown"],
  ])("%j: %s", (fields, kind) => {
    expect(afterFailure(failure(fields), "orders").kind).toBe(kind);
  });
  test("a stream that is not there, or not ours, is hopeless", () => {
    expect(() =>
      afterFailure(failure({ name: "ResourceNotFoundException", $fault: "client" }), "orders"),
    ).toThrow(UnusableStream);
  });
});
