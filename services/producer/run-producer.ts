/**
 * The producer's loop: creates records at the configured rate and sends them, a few calls at a time, until
 * stopped.
 */
import type { Clock } from "../../src/ports/clock.ts";
import { backoffMillis, type Random } from "../../src/ports/random.ts";
import type { HistoryEvent } from "../contract/history.ts";
import { type KeyedRecord, KeyLedger } from "./key-ledger.ts";
import { keyChooser, RateSchedule } from "./load-shape.ts";
import { MAX_RECORDS_PER_CALL, type PutBatch } from "./put-batch.ts";

export interface ProducerOptions {
  readonly putBatch: PutBatch;
  /** Records per second. */
  readonly rate: number;
  /** Number of distinct partition keys. */
  readonly keys: number;
  /** Zipf exponent of the key choice. 0: uniform. */
  readonly skew: number;
  /** Prefix of every key. Must differ from every other producer's. */
  readonly keyPrefix: string;
  readonly history: HistorySink;
  readonly log: ProducerLog;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Stops the producer: it creates no more records and sends the waiting ones within `STOP_BUDGET_MILLIS`.
   */
  readonly signal: AbortSignal;
  /** Called about ten times a second. */
  readonly onProgress?: (progress: ProducerProgress) => void;
}

export interface HistorySink {
  write(event: HistoryEvent): void;
  /** Resolves when the sink can accept more without unbounded buffering. */
  ready(): Promise<void>;
}

export interface ProducerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ProducerProgress {
  readonly put: number;
  /** Attempts that certainly put nothing, counted per record. Each is retried, up to `MAX_ATTEMPTS` times. */
  readonly failedAttempts: number;
  /** Records of unknown outcome: they may or may not be in the stream. */
  readonly unknown: number;
  /** Records created but not yet put. */
  readonly outstanding: number;
}

const TICK_MILLIS = 100;
const MAX_CALLS_AT_ONCE = 4;
/** ECS allows 5 s between SIGTERM and SIGKILL. */
const STOP_BUDGET_MILLIS = 4_000;
/**
 * About half a minute, with full jitter up to 5 s. Afterwards the next record of the key takes the number.
 */
const MAX_ATTEMPTS = 15;

interface Counts {
  put: number;
  failedAttempts: number;
  unknown: number;
  callsUnknownInARow: number;
}

/**
 * Resolves when stopped and drained. Rejects when the stream is unusable or the history cannot be written.
 */
export async function runProducer(options: ProducerOptions): Promise<ProducerProgress> {
  const { clock, signal, log } = options;
  const ledger = new KeyLedger(options.keyPrefix, options.keys);
  const schedule = new RateSchedule(options.rate, clock.monotonicMillis());
  const chooseKey = keyChooser(options.keys, options.skew, options.random);
  const counts: Counts = { put: 0, failedAttempts: 0, unknown: 0, callsUnknownInARow: 0 };
  const progress = (): ProducerProgress => {
    const { put, failedAttempts, unknown } = counts;
    return { put, failedAttempts, unknown, outstanding: ledger.outstanding };
  };
  const mostOutstanding = Math.max(MAX_RECORDS_PER_CALL, 2 * options.rate);
  const calls = new Set<Promise<void>>();
  /** Ends the waits between attempts once the stop budget is spent or the producer has failed. */
  const giveUp = new AbortController();
  let failure: unknown;

  const pump = () => {
    while (calls.size < MAX_CALLS_AT_ONCE && !giveUp.signal.aborted) {
      const batch = ledger.take(MAX_RECORDS_PER_CALL);
      if (batch.length === 0) return;
      const call: Promise<void> = deliver(batch, options, ledger, counts, giveUp.signal)
        .catch((error: unknown) => {
          failure ??= error;
          giveUp.abort();
        })
        .finally(() => {
          calls.delete(call);
          pump();
        });
      calls.add(call);
    }
  };

  log.info(
    { rate: options.rate, keys: options.keys, skew: options.skew, keyPrefix: options.keyPrefix },
    "producer started",
  );
  let heldBack = false;
  while (!signal.aborted && failure === undefined) {
    await options.history.ready();
    const due = schedule.due(clock.monotonicMillis());
    const room = mostOutstanding - ledger.outstanding;
    for (let made = 0; made < Math.min(due, room); made++) ledger.add(chooseKey());
    if (due > room !== heldBack) {
      heldBack = due > room;
      log.warn(
        progress(),
        heldBack
          ? "the stream takes less than the wanted rate: making fewer records"
          : "the wanted rate is reached again",
      );
    }
    pump();
    options.onProgress?.(progress());
    await clock.sleep(TICK_MILLIS, signal);
  }

  const deadlineMillis = clock.monotonicMillis() + STOP_BUDGET_MILLIS;
  while (failure === undefined && ledger.outstanding > 0 && clock.monotonicMillis() < deadlineMillis) {
    await clock.sleep(Math.min(TICK_MILLIS, 20));
  }
  giveUp.abort();
  await Promise.all(calls);
  log.info(progress(), "producer stopped");
  if (failure !== undefined) throw failure;
  return progress();
}

/**
 * Sends a batch until each record is put, abandoned or of unknown outcome. Meanwhile its keys have no other
 * record in flight.
 */
async function deliver(
  batch: readonly KeyedRecord[],
  { putBatch, history, log, clock, random }: ProducerOptions,
  ledger: KeyLedger,
  counts: Counts,
  giveUp: AbortSignal,
): Promise<void> {
  let left = batch;
  for (let attempt = 1; ; attempt++) {
    const t = clock.wallMillis();
    const answer = await putBatch(left);
    if (answer.kind === "unknown") {
      for (const record of left) {
        history.write({ type: "event", t, name: "put-unknown", key: record.key, n: record.n });
        ledger.settle(record, "unknown");
      }
      counts.unknown += left.length;
      counts.callsUnknownInARow += 1;
      log.warn(
        { records: left.length, problem: answer.problem },
        "no answer from PutRecords: these keys are retired",
      );
      return;
    }
    const failed: KeyedRecord[] = [];
    for (const [i, record] of left.entries()) {
      const result = answer.kind === "answered" ? answer.records[i]! : undefined;
      if (result?.kind !== "put") {
        failed.push(record);
        continue;
      }
      const { shardId, sequenceNumber } = result;
      history.write({ type: "put", t, key: record.key, n: record.n, shardId, sequenceNumber });
      ledger.settle(record, "put");
      counts.put += 1;
    }
    if (failed.length === 0) return;
    counts.failedAttempts += failed.length;
    left = failed;
    if (attempt === MAX_ATTEMPTS || giveUp.aborted) break;
    await clock.sleep(backoffMillis(attempt, random), giveUp);
    if (giveUp.aborted) break;
  }
  for (const record of left) ledger.settle(record, "not-put");
  log.warn({ records: left.length }, "given up: certainly not put");
}
