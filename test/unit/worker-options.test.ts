import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/core/errors.ts";
import { compileOptions, type WorkerOptions } from "../../src/options.ts";
import { withoutMd5 } from "./reader/without-md5.ts";

const least: WorkerOptions = {
  applicationName: "orders",
  streamName: "orders",
  processRecords: async () => undefined,
};

/** As a user without a type checker would call it. */
const compile = (options: Record<string, unknown>) =>
  compileOptions({ ...least, ...options } as WorkerOptions);

function complaint(options: Record<string, unknown>): string {
  try {
    compile(options);
  } catch (error) {
    if (error instanceof OptionError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(options)}`);
}

describe("a wrong option is refused, naming the option, the value and the remedy", () => {
  it.each<[string, unknown, string]>([
    ["applicationName", "", "names the lease table"],
    ["applicationName", "my app", "letters, digits"],
    ["applicationName", 5, "letters, digits"],
    ["processRecords", undefined, "a function"],
    ["processRecords", "handle", "a function"],
    ["applicationName", "ab", "3 to 255 letters, digits"],
    ["streamName", "", "is the variable that it comes from set?"],
    ["streamName", "orders ", "the name of a stream, 1 to 128 letters, digits"],
    ["streamName", "x".repeat(129), "1 to 128 letters"],
    ["streamName", "arn:aws:kinesis:eu-west-1:123456789012:stream/orders", "an ARN is given as streamArn"],
    ["streamName", 5, "the name of a stream"],
    ["streamName", null, "the name of a stream"],
    ["leaseTableName", "my leases", "the name of a DynamoDB table, 3 to 255 letters"],
    ["leaseTableName", "ab", "3 to 255 letters"],
    ["leaseTableName", "", "is the variable that it comes from set?"],
    ["leaseTableName", "arn:aws:dynamodb:eu-west-1:123456789012:table/orders", "an ARN is not taken here"],
    ["region", "eu-west-1a", "this is an availability zone of eu-west-1"],
    ["region", "Europe (Ireland)", 'a region such as "eu-west-1"'],
    ["region", "", "is the variable that it comes from set?"],
    ["endpoint", "localhost:4566", 'a URL such as "http://localhost:4566"'],
    ["endpoint", "kinesis.eu-west-1.amazonaws.com", "a URL such as"],
    ["endpoint", "http://localhost:4566?x=1", "without credentials or a query"],
    ["endpoint", "", "is the variable that it comes from set?"],
    ["clients", "aws", "{ kinesis, dynamodb, cloudwatch }"],
    ["workerId", "", "1 to 128 characters"],
    ["workerId", "pod\u0000", "control characters"],
    ["workerId", "pod 1", "without spaces"],
    ["workerId", "x".repeat(129), "1 to 128 characters"],
    ["createLeaseTable", "yes", "true or false"],
    ["enableLeaseStealing", 1, "true or false"],
    ["initialPosition", "EARLIEST", '"TRIM_HORIZON", "LATEST" or a valid Date'],
    ["initialPosition", new Date("never"), "a valid Date"],
    ["leaseRenewal", "both", '"worker" or "lease"'],
    ["checkpointMode", "none", '"auto" or "manual"'],
    ["kplHashRange", "skip", '"keep" or "drop"'],
    ["metricsLevel", "all", '"none" or "summary" or "detailed"'],
    ["onError", "retry", '"stop", "skip" or { deadLetter'],
    ["onError", { deadLetter: "queue" }, '"stop", "skip" or { deadLetter'],
    ["maxLeasesForWorker", 0, "a whole number from 1"],
    ["maxLeasesForWorker", 6.67, "a whole number from 1"],
    ["maxLeasesForWorker", "6", "a whole number from 1"],
    ["failoverTimeMillis", 999, "a whole number from 1000 to 3600000"],
    ["failoverTimeMillis", "10s", "a whole number from 1000"],
    ["failoverTimeMillis", Number.NaN, "a whole number from 1000"],
    ["shardSyncIntervalMillis", 249, "a whole number from 250"],
    ["idleTimeBetweenReadsMillis", 199, "a whole number from 200"],
    ["maxRecords", 10_001, "a whole number from 1 to 10000"],
    ["maxRecords", 0, "a whole number from 1 to 10000"],
    ["maxBufferedBytes", 1_000, "a whole number from 1048576"],
    ["checkpointIntervalMillis", -1, "a whole number from 0"],
    ["processTimeoutMillis", 0, "a whole number from 1"],
    ["logWarningForTaskAfterMillis", 10, "a whole number from 1000"],
    ["retry", "never", "an object such as"],
    ["retry", null, "an object such as"],
    ["leaseLost", "no", "a function"],
    ["shardEnded", {}, "a function"],
    ["shutdownRequested", 1, "a function"],
    ["onEvent", "print", "a function"],
  ])("%s: %o", (name, value, remedy) => {
    const message = complaint({ [name]: value });
    expect(message).toMatch(new RegExp(`^${name} is `));
    const shown =
      typeof value === "string" || (typeof value === "object" && value !== null)
        ? JSON.stringify(value)
        : String(value);
    expect(message).toContain(shown);
    expect(message).toContain(remedy);
    expect(message).not.toContain("\n");
  });

  it.each([
    [{ maxAttempts: 0 }, "retry.maxAttempts is 0: expected a whole number from 1 to 1000000"],
    [{ minDelayMillis: 1 }, "retry.minDelayMillis is 1: expected a whole number from 10 to 3600000"],
    [
      { minDelayMillis: 500, maxDelayMillis: 400 },
      "retry.maxDelayMillis is 400: expected a whole number from 500 to 3600000",
    ],
    [{ maxRecordAgeMillis: "1h" }, 'retry.maxRecordAgeMillis is "1h": expected a whole number from 1'],
    [{ attempts: 3 }, "there is no option retry.attempts: there are maxAttempts, minDelayMillis"],
  ])("retry: %o", (retry, message) => {
    expect(complaint({ retry })).toContain(message);
  });

  it.each<[string, unknown]>([
    ["a name", "orders"],
    ["nothing", ""],
    ["another service's", "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"],
    ["no account", "arn:aws:kinesis:eu-west-1::stream/orders"],
    ["a consumer's", "arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/orders:1"],
  ])("streamArn: %s", (_, streamArn) => {
    const message = complaint({ streamName: undefined, streamArn });
    expect(message).toContain(`streamArn is ${JSON.stringify(streamArn)}: expected arn:aws:kinesis:<region>`);
    if (streamArn === "orders") expect(message).toContain("a name is given as streamName");
  });

  it("an endpoint with credentials, without repeating them", () => {
    const message = complaint({ endpoint: "http://ann:secret@localhost:4566" });
    expect(message).toMatch(/^endpoint is "http:\/\/…@localhost:4566": expected .*without credentials/);
    expect(message).not.toContain("secret");
  });

  it("clients that are none", () => {
    const client = { send: () => undefined };
    expect(complaint({ clients: { dynamoDb: client } })).toContain("clients.dynamoDb is");
    expect(complaint({ clients: { kinesis: { config: { secretAccessKey: "secret" } } } })).toMatch(
      /^clients\.kinesis is "object": expected \{ kinesis, dynamodb, cloudwatch \}/,
    );
    expect(() => compile({ clients: { kinesis: client, dynamodb: undefined } })).not.toThrow();
  });

  it("leaseStealing.stealingStrategy", () => {
    expect(complaint({ leaseStealing: { stealingStrategy: "RANDOM" } })).toBe(
      'leaseStealing.stealingStrategy is "RANDOM": expected "EVEN_DISTRIBUTION"',
    );
  });

  it("a logger without pino's four functions", () => {
    const { debug, info, error } = console;
    expect(complaint({ logger: { debug, info, error } })).toContain("logger has no function warn");
    expect(complaint({ logger: true })).toContain("logger has no function debug");
    expect(() => compile({ logger: console })).not.toThrow();
  });

  it('kplHashRange "drop" where Node has no MD5 (FIPS mode)', () =>
    withoutMd5(() => {
      expect(complaint({ kplHashRange: "drop" })).toMatch(
        /kplHashRange is "drop".*MD5.*FIPS.*expected "keep"/,
      );
      expect(compile({}).kplHashRange).toBe("keep");
    }));

  it("both of streamName and streamArn, or neither", () => {
    expect(complaint({ streamArn: "arn:aws:kinesis:eu-west-1:1:stream/orders" })).toContain("exactly one of");
    expect(complaint({ streamName: undefined })).toContain("exactly one of");
  });

  it("a name that is no option, with the one that was meant", () => {
    expect(complaint({ failoverTime: 10_000 })).toBe(
      "there is no option failoverTime: did you mean failoverTimeMillis?",
    );
    expect(complaint({ colour: "blue" })).toBe("there is no option colour");
  });

  it("something that is no object", () => {
    expect(() => compileOptions(undefined as unknown as WorkerOptions)).toThrow("takes an object of options");
  });
});

describe("what is not given", () => {
  it("has the contract's defaults", () => {
    const { workerId, processRecords, hooks, observe, maxLeasesForWorker, assignsFrom, ...rest } = compile(
      {},
    );
    expect(rest).toEqual({
      createLeaseTable: true,
      enableLeaseStealing: true,
      failoverTimeMillis: 10_000,
      shardSyncIntervalMillis: 5_000,
      leaseRenewal: "worker",
      idleTimeBetweenReadsMillis: 1_000,
      maxRecords: 10_000,
      kplHashRange: "keep",
      maxBufferedBytes: 64 * 1024 * 1024,
      checkpointMode: "auto",
      checkpointIntervalMillis: 5_000,
      processTimeoutMillis: undefined,
      logWarningForTaskAfterMillis: 30_000,
      retry: {
        maxAttempts: undefined,
        minDelayMillis: 200,
        maxDelayMillis: 30_000,
        maxRecordAgeMillis: undefined,
      },
      onError: "stop",
      initialPosition: "TRIM_HORIZON",
      onStreamReplaced: "refuse",
    });
    // Not an option of the contract: the engine's own limit.
    expect(assignsFrom).toBe(300_000);
    expect(maxLeasesForWorker({ shards: 1_000, workers: 1 })).toBeUndefined();
    expect(Object.values(hooks)).toEqual([undefined, undefined, undefined]);
  });

  it("gives each worker an id of its own", () => {
    expect(compile({}).workerId).not.toBe(compile({}).workerId);
  });
});

describe("the cap", () => {
  const capOf = (cap: unknown, shards: number, workers: number) =>
    compile({ maxLeasesForWorker: cap }).maxLeasesForWorker({ shards, workers });

  it("may be a number", () => {
    expect(capOf(6, 20, 3)).toBe(6);
  });

  it("rounds a formula's fraction up: 20 shards over 3 pods are 7, and none is orphaned", () => {
    const seed = ({ shards, workers }: { shards: number; workers: number }) => Math.min(10, shards / workers);
    expect(capOf(seed, 20, 3)).toBe(7);
    expect(capOf(seed, 30, 5)).toBe(6);
    expect(capOf(seed, 30, 1)).toBe(10);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("says so when a formula gives %d", (most) => {
    expect(() => capOf(() => most, 20, 3)).toThrow(
      /^maxLeasesForWorker\(\{"shards":20,"workers":3\}\) is .*: expected a number above 0/,
    );
  });

  it("says so when a formula gives something else than a number", () => {
    expect(() => capOf(() => "7", 20, 3)).toThrow(OptionError);
  });
});

describe("what is given", () => {
  it.each<Record<string, unknown>>([
    { streamName: "a" },
    { streamName: `${"x".repeat(126)}.-` },
    { streamName: undefined, streamArn: "arn:aws-us-gov:kinesis:us-gov-west-1:123456789012:stream/a_b.c-D" },
    { streamName: undefined, streamArn: "arn:aws:kinesis:us-east-1:000000000000:stream/orders" },
    { applicationName: "a", leaseTableName: "abc" },
    { region: "us-gov-west-1" },
    { region: "local" },
    { endpoint: "https://vpce-0a1b.kinesis.eu-west-1.vpce.amazonaws.com" },
    { endpoint: "http://[::1]:4566/" },
    { workerId: "pöd-1" },
  ])("may be %o", (options) => {
    expect(() => compile(options)).not.toThrow();
  });

  it("is kept, up to the ends of each range", () => {
    const date = new Date(0);
    const options = compile({
      workerId: "pod-1",
      initialPosition: date,
      failoverTimeMillis: 1_000,
      checkpointIntervalMillis: 0,
      maxRecords: 1,
      onError: "skip",
    });
    expect(options).toMatchObject({
      workerId: "pod-1",
      initialPosition: date,
      failoverTimeMillis: 1_000,
      checkpointIntervalMillis: 0,
      maxRecords: 1,
      onError: "skip",
    });
  });
});
