/**
 * No record data, partition key or credential in a log line, at any level. Handlers fail in every way there
 * is, with errors that carry the record, and pino writes the lines as in a service.
 */
import { inspect } from "node:util";
import pino from "pino";
import { describe, expect, it } from "vitest";
import { ErrorReports } from "../../../src/engine/error-reports.ts";
import { PoisonRecordError } from "../../../src/engine/reader/handler-errors.ts";
import { noMetrics } from "../../../src/ports/metrics.ts";
import { plainError, withPlainErrors } from "../../../src/ports/plain-errors.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { aggregate } from "./aggregate.ts";
import { sequence, shardWorld, type TestStream, type WorldSetup } from "./shard-world.ts";

const DATA = "data-of-a-person";
const KEY = "key-of-a-person";
const HASH_KEY = "31415926535897932384";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const forms = (text: string): string[] => [
  text,
  Buffer.from(text).toString("base64").slice(0, 16),
  Buffer.from(text).toString("hex"),
  [...bytes(text)].join(","),
  `"0":${text.charCodeAt(0)},"1":${text.charCodeAt(1)}`, // bytes as an object's entries
];
const SECRETS = [...forms(DATA), ...forms(KEY), HASH_KEY];

/** A plain record, and a KPL aggregate of three. */
function putPersonal(stream: TestStream): void {
  const user = { partitionKey: KEY, explicitHashKey: HASH_KEY, data: bytes(DATA) };
  for (const data of [bytes(DATA), aggregate([user, user, user])]) {
    const n = stream.records.length + 1;
    stream.records.push({
      ...{ data, partitionKey: KEY, sequenceNumber: sequence(n), subSequenceNumber: 0 },
      ...{ approximateArrivalTimestamp: new Date(0), at: 0 },
    });
  }
}

/**
 * Reads a shard with these records for a while, drains it, and returns what pino wrote at the lowest level.
 */
async function logOf(setup: WorldSetup): Promise<string> {
  const lines: string[] = [];
  const clock = new VirtualClock();
  const written = pino({ level: "trace" }, { write: (line) => void lines.push(line) });
  const logger = withPlainErrors(written); // as createWorker gives it to the engine
  const world = shardWorld({
    ...setup,
    clock,
    prepare: putPersonal,
    deps: { logger, reports: new ErrorReports({ clock, logger, metrics: noMetrics }) },
  });
  await clock.advance(120_000);
  expect(world.delivered.length).toBeGreaterThan(0);
  void world.consumer.drain();
  await clock.advance(60_000);
  return lines.join("");
}

/** As a careful author may write it: the record is a field of the error, not a part of its message. */
class HandlerError extends Error {
  readonly record: unknown;
  constructor(record: unknown) {
    super("the handler failed", { cause: Object.assign(new Error("deeper"), { record }) });
    this.record = record;
  }
}
const failing: WorldSetup["handler"] = ({ records }) => {
  throw new HandlerError(records[0]);
};

const poison: WorldSetup["handler"] = ({ records }) => {
  throw new PoisonRecordError(records[0]!, { cause: new HandlerError(records[0]) });
};

describe("a log line", () => {
  const giveUp = { retry: { maxAttempts: 2 } };

  it.each<[string, WorldSetup, string]>([
    ["trouble that is waited out", { handler: failing }, "handler fails"],
    ["stop", { handler: failing, options: { ...giveUp, onError: "stop" } }, "shard halted"],
    ["poison", { handler: poison, options: { onError: "stop" } }, "shard halted"],
    ["skip", { handler: poison, options: { onError: "skip" } }, "records skipped"],
    [
      "a dead letter",
      { handler: failing, options: { ...giveUp, onError: { deadLetter: async () => undefined } } },
      "record given to deadLetter",
    ],
    [
      "a dead letter that fails too",
      {
        handler: failing,
        options: {
          ...giveUp,
          onError: {
            deadLetter: async (record) => {
              throw new HandlerError(record);
            },
          },
        },
      },
      "shard halted",
    ],
    [
      "a handler that hangs",
      { handler: () => new Promise(() => undefined), options: { processTimeoutMillis: 1_000 } },
      "processRecords timed out",
    ],
    [
      "a hook that fails",
      {
        options: {
          hooks: {
            shutdownRequested: async (input) => {
              throw new HandlerError({ ...input, data: bytes(DATA), partitionKey: KEY });
            },
          },
        },
      },
      "shutdownRequested failed",
    ],
  ])("holds nothing of the records: %s", async (_, setup, said) => {
    const text = await logOf(setup);
    expect(text).toContain(said);
    expect(SECRETS.filter((secret) => text.includes(secret))).toEqual([]);
  });

  it("says of an error what it is, says, and came from, of its causes too", () => {
    const cause = Object.assign(new TypeError("broken"), { code: "EPIPE", record: DATA });
    const plain = plainError(Object.assign(new RangeError("failed", { cause }), { record: DATA }));
    expect(plain).toBeInstanceOf(RangeError);
    expect(plain).toMatchObject({ name: "RangeError", message: "failed" });
    expect(plain.stack).toContain("log-lines.test.ts");
    expect(plain.cause).toBeInstanceOf(TypeError);
    expect(plain.cause).toMatchObject({ message: "broken", code: "EPIPE" });
    expect(inspect(plain, { depth: 9, showHidden: true })).not.toContain(DATA);
    const circle = new Error("round");
    circle.cause = circle;
    expect(plainError(circle).message).toBe("round");
  });

  it("leaves the session's token out of the request that AWS repeats", () => {
    const refusal = new Error(
      "The request signature we calculated does not match. The Canonical String should have been\n'POST\n/\n\nhost:x\nx-amz-security-token:FwoGZXIvYXdzEBYaD\n\nhost'",
    );
    const plain = plainError(refusal);
    expect(plain.message).toContain("x-amz-security-token:…");
    expect(plain.stack).not.toContain("FwoGZXIv");
  });
});
