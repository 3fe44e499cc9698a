/** The options of `createWorker`: meaning, default and its reason, and the check that names the remedy. */
import { hostname } from "node:os";
import type { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { wrongAddress } from "./adapters/aws-addresses.ts";
import { consoleLogger } from "./adapters/console-logger.ts";
import { DEFAULT_ASSIGNS_FROM } from "./core/assignments.ts";
import { OptionError } from "./core/errors.ts";
import { isMd5Available } from "./core/md5.ts";
import { type BoundedOption, OPTION_BOUNDS } from "./defaults.ts";
import type { EngineOptions, Hooks, WorkerEvent } from "./engine/engine-context.ts";
import type { OnError, ProcessRecords } from "./engine/reader/reader-options.ts";
import { type RetryOptions, retryOf } from "./engine/reader/retry.ts";
import { DEFAULT_LOG_WARNING_MILLIS } from "./engine/reader/shard-activity.ts";
import { randomSuffix, systemClock } from "./platform.ts";
import { type Logger, silentLogger } from "./ports/logger.ts";
import { withPlainErrors } from "./ports/plain-errors.ts";
import { closest } from "./suggest.ts";

export interface WorkerOptions extends Hooks {
  /**
   * The name of the fleet: workers with the same name share the stream. Also the name of the lease table and
   * the namespace of the metrics. 1 to 255 letters, digits, '_', '.' and '-'; at least 3 where it names the
   * lease table.
   */
  readonly applicationName: string;
  /** The stream to read. Give exactly one of `streamName` and `streamArn`. */
  readonly streamName?: string;
  readonly streamArn?: string;
  /**
   * Must be unique in the fleet. 1 to 128 characters without spaces or control characters. Default: the ECS
   * task id, else the host name, plus a random part.
   */
  readonly workerId?: string;
  /** Default: `applicationName`, as in KCL. */
  readonly leaseTableName?: string;
  /** Default: what the AWS SDK finds. */
  readonly region?: string;
  /** Default: AWS_ENDPOINT_URL, else AWS. */
  readonly endpoint?: string;
  /** Ready-made SDK clients, for credentials, proxies and tests. */
  readonly clients?: {
    readonly kinesis?: KinesisClient;
    readonly dynamodb?: DynamoDBClient;
    readonly cloudwatch?: CloudWatchClient;
  };
  /** Create the lease table (on demand) when it is missing. Default: true, as in KCL. */
  readonly createLeaseTable?: boolean;
  /**
   * Where an application without leases begins. Children of a reshard always begin at TRIM_HORIZON. Default:
   * TRIM_HORIZON, so that no record is skipped unless you ask for it.
   */
  readonly initialPosition?: "TRIM_HORIZON" | "LATEST" | Date;
  /**
   * What to do when the stream of the lease table was deleted and created again under the same name. "refuse"
   * (default): `start()` rejects, and the message names the remedy. "start-over": the leases are deleted and
   * the application begins again.
   */
  readonly onStreamReplaced?: "refuse" | "start-over";
  /**
   * Move leases between living workers to even them out. False: take only unowned and expired leases.
   * Default: true.
   */
  readonly enableLeaseStealing?: boolean;
  readonly leaseStealing?: { readonly stealingStrategy?: "EVEN_DISTRIBUTION" };
  /**
   * The most leases that this worker takes, 1 to 1000000: a number, or a function of the open shards and
   * living workers. Fractions are rounded up. If cap × workers < shards, shards stay unread, and the leader
   * logs an error. Default: no cap.
   */
  readonly maxLeasesForWorker?:
    | number
    | ((fleet: { readonly shards: number; readonly workers: number }) => number);
  /**
   * A worker whose heartbeat has not moved for this long is dead. Milliseconds, 1000 to 3600000. Default:
   * 10000, as in KCL: two heartbeats may fail.
   */
  readonly failoverTimeMillis?: number;
  /**
   * How often the leader lists shards. Milliseconds, 250 to 3600000. Default: 5000; the resharder makes the
   * fleet list them at once.
   */
  readonly shardSyncIntervalMillis?: number;
  /**
   * "worker" (default): one heartbeat per worker. "lease": the counter of every lease moves too, for a fleet
   * shared with Java KCL.
   */
  readonly leaseRenewal?: "worker" | "lease";
  /**
   * The wait after a read that found no record. Milliseconds, 200 to 60000: Kinesis allows five reads a
   * second per shard. Default: 1000.
   */
  readonly idleTimeBetweenReadsMillis?: number;
  /** The most records of one read, 1 to 10000. Default: 10000, the most that Kinesis returns. */
  readonly maxRecords?: number;
  /**
   * What to do with KPL user records whose hash key is outside the lease's hash range. They occur after a
   * reshard, in aggregates that the producer filled for the old shards. A KPL producer notices this and sends
   * those records again. "keep" (default): the handler gets them, possibly twice; no record is lost,
   * whichever producer wrote it. "drop": KCL's rule, applied to each user record on its own; records of a
   * producer that does not send them again are lost. The metric KplRecordsDropped counts the dropped records.
   */
  readonly kplHashRange?: "keep" | "drop";
  /**
   * The most bytes of records that this process has read and not yet processed, over all shards. Bytes, 1 MiB
   * to 1 TiB. Default: 64 MiB.
   */
  readonly maxBufferedBytes?: number;
  /**
   * "auto" (default): records that `processRecords` has finished are checkpointed. "manual": only positions
   * that it passes to `checkpoint`.
   */
  readonly checkpointMode?: "auto" | "manual";
  /**
   * At most one checkpoint write per shard in this time, and always one before a hand-over. After a crash at
   * most this much is replayed. Milliseconds, 0 to 3600000; 0: after every batch. Default: 5000.
   */
  readonly checkpointIntervalMillis?: number;
  readonly processRecords: ProcessRecords;
  /**
   * A handler call that takes longer is aborted and counts as failed. Milliseconds, 1 to 86400000. Default:
   * no limit.
   */
  readonly processTimeoutMillis?: number;
  /**
   * A handler call, a hook or a hand-over that takes longer is logged as a warning and measured.
   * Milliseconds, 1000 to 86400000. KCL's name; in KCL it is off by default. Default: 30000.
   */
  readonly logWarningForTaskAfterMillis?: number;
  /**
   * How a batch that fails is retried. Default: without end, with pauses that grow from 200 ms to 30 s and
   * end at once when the shard is to be handed over.
   */
  readonly retry?: RetryOptions;
  /**
   * What to do with a record that is poison, or out of attempts. "stop" (default): the shard halts at it, and
   * no record is passed over. "skip": the record is passed over. `{ deadLetter }`: the record is given to
   * that function. All other failures are retried until they pass.
   */
  readonly onError?: OnError;
  /**
   * A pino-like logger. Default: warnings and errors go to the console, one line each, with the stack of an
   * error. `false`: no logging. No line contains a record's data or a credential.
   */
  readonly logger?: Logger | false;
  /** Default: "summary". */
  readonly metricsLevel?: "none" | "summary" | "detailed";
  /**
   * Called for every batch, every failure, and every lease that changes hands. It must be quick. An error
   * that it throws is logged, and has no other effect.
   */
  readonly onEvent?: (event: WorkerEvent) => void;
}

/**
 * Fills in every default.
 *
 * @throws OptionError naming the option, the value and the remedy
 */
export function compileOptions(options: WorkerOptions): EngineOptions {
  known(options);
  text(
    "applicationName",
    options.applicationName,
    /^[a-zA-Z0-9_.-]{1,255}$/,
    "letters, digits, '_', '.' and '-': it names the lease table",
  );
  if ((options.streamName === undefined) === (options.streamArn === undefined)) {
    throw new OptionError("give exactly one of streamName and streamArn");
  }
  const address = wrongAddress(options);
  if (address !== undefined) wrong(address.option, address.value, address.expected);
  if (typeof options.processRecords !== "function")
    wrong("processRecords", options.processRecords, "a function that handles a batch");
  const onError = options.onError ?? "stop";
  if (onError !== "stop" && onError !== "skip" && typeof onError?.deadLetter !== "function") {
    wrong("onError", onError, '"stop", "skip" or { deadLetter: async (record, error) => {} }');
  }
  const position = options.initialPosition ?? "TRIM_HORIZON";
  if (
    position !== "TRIM_HORIZON" &&
    position !== "LATEST" &&
    !(position instanceof Date && !Number.isNaN(position.getTime()))
  ) {
    wrong("initialPosition", position, '"TRIM_HORIZON", "LATEST" or a valid Date');
  }
  for (const level of ["debug", "info", "warn", "error"] as const) {
    const { logger } = options;
    if (logger !== undefined && logger !== false && typeof logger?.[level] !== "function")
      throw new OptionError(
        `logger has no function ${level}: expected pino's shape, (fields, message) => void, or false for silence`,
      );
  }
  const strategy = options.leaseStealing?.stealingStrategy ?? "EVEN_DISTRIBUTION";
  oneOf("leaseStealing.stealingStrategy", strategy, ["EVEN_DISTRIBUTION"]);
  oneOf("metricsLevel", options.metricsLevel ?? "summary", ["none", "summary", "detailed"]);
  return {
    workerId: text(
      "workerId",
      options.workerId ?? defaultWorkerId(),
      /^[^\s\p{C}]{1,128}$/u,
      "1 to 128 characters without spaces or control characters",
    ),
    createLeaseTable: flag("createLeaseTable", options.createLeaseTable ?? true),
    onStreamReplaced: oneOf("onStreamReplaced", options.onStreamReplaced ?? "refuse", [
      "refuse",
      "start-over",
    ]),
    enableLeaseStealing: flag("enableLeaseStealing", options.enableLeaseStealing ?? true),
    maxLeasesForWorker: cap(options.maxLeasesForWorker),
    failoverTimeMillis: bounded("failoverTimeMillis", options),
    shardSyncIntervalMillis: bounded("shardSyncIntervalMillis", options),
    leaseRenewal: oneOf("leaseRenewal", options.leaseRenewal ?? "worker", ["worker", "lease"]),
    idleTimeBetweenReadsMillis: bounded("idleTimeBetweenReadsMillis", options),
    maxRecords: whole("maxRecords", options.maxRecords ?? 10_000, 1, 10_000),
    kplHashRange: kplHashRange(options.kplHashRange ?? "keep"),
    maxBufferedBytes: whole(
      "maxBufferedBytes",
      options.maxBufferedBytes ?? 64 * 1024 * 1024,
      1024 * 1024,
      2 ** 40,
    ),
    assignsFrom: DEFAULT_ASSIGNS_FROM,
    checkpointMode: oneOf("checkpointMode", options.checkpointMode ?? "auto", ["auto", "manual"]),
    checkpointIntervalMillis: bounded("checkpointIntervalMillis", options),
    processRecords: options.processRecords,
    processTimeoutMillis:
      options.processTimeoutMillis === undefined
        ? undefined
        : whole("processTimeoutMillis", options.processTimeoutMillis, 1, 86_400_000),
    logWarningForTaskAfterMillis: whole(
      "logWarningForTaskAfterMillis",
      options.logWarningForTaskAfterMillis ?? DEFAULT_LOG_WARNING_MILLIS,
      1_000,
      86_400_000,
    ),
    retry: retry(options.retry),
    onError,
    initialPosition: position,
    hooks: {
      leaseLost: hook("leaseLost", options.leaseLost),
      shardEnded: hook("shardEnded", options.shardEnded),
      shutdownRequested: hook("shutdownRequested", options.shutdownRequested),
    },
    observe: hook("onEvent", options.onEvent) ?? (() => undefined),
  };
}

/**
 * The default logger is the console, not silence: a worker that makes no progress must be able to log why.
 */
export const loggerOf = ({ logger = consoleLogger(systemClock) }: WorkerOptions): Logger =>
  withPlainErrors(logger === false ? silentLogger : logger);

/** Every option. A test compares README's table with it. */
export const OPTION_NAMES: Readonly<Record<keyof WorkerOptions, true>> = {
  applicationName: true,
  streamName: true,
  streamArn: true,
  workerId: true,
  leaseTableName: true,
  region: true,
  endpoint: true,
  clients: true,
  createLeaseTable: true,
  initialPosition: true,
  onStreamReplaced: true,
  enableLeaseStealing: true,
  leaseStealing: true,
  maxLeasesForWorker: true,
  failoverTimeMillis: true,
  shardSyncIntervalMillis: true,
  leaseRenewal: true,
  idleTimeBetweenReadsMillis: true,
  maxRecords: true,
  kplHashRange: true,
  maxBufferedBytes: true,
  checkpointMode: true,
  checkpointIntervalMillis: true,
  processRecords: true,
  processTimeoutMillis: true,
  logWarningForTaskAfterMillis: true,
  retry: true,
  onError: true,
  leaseLost: true,
  shardEnded: true,
  shutdownRequested: true,
  logger: true,
  metricsLevel: true,
  onEvent: true,
};

function known(options: WorkerOptions): void {
  if (typeof options !== "object" || options === null)
    throw new OptionError("createWorker takes an object of options");
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(OPTION_NAMES, name)) continue;
    const near = closest(name, Object.keys(OPTION_NAMES));
    throw new OptionError(`there is no option ${name}${near ? `: did you mean ${near}?` : ""}`);
  }
}

function kplHashRange(value: "keep" | "drop"): "keep" | "drop" {
  oneOf("kplHashRange", value, ["keep", "drop"]);
  if (value === "drop" && !isMd5Available()) {
    throw new OptionError(
      'kplHashRange is "drop": that needs MD5, Kinesis\'s hash of a partition key, and this Node refuses MD5 (FIPS mode): expected "keep"',
    );
  }
  return value;
}

function retry(value: WorkerOptions["retry"]): RetryOptions {
  if (value !== undefined && (typeof value !== "object" || value === null))
    wrong("retry", value, "an object such as { maxAttempts: 20, maxDelayMillis: 10000 }");
  const filled = retryOf(value);
  const unknown = Object.keys(value ?? {}).find((name) => !Object.hasOwn(filled, name));
  if (unknown !== undefined)
    throw new OptionError(`there is no option retry.${unknown}: there are ${Object.keys(filled).join(", ")}`);
  const { maxAttempts, minDelayMillis, maxDelayMillis, maxRecordAgeMillis } = filled;
  if (maxAttempts !== undefined) whole("retry.maxAttempts", maxAttempts, 1, 1_000_000);
  whole("retry.minDelayMillis", minDelayMillis, 10, 3_600_000);
  whole("retry.maxDelayMillis", maxDelayMillis, minDelayMillis, 3_600_000);
  if (maxRecordAgeMillis !== undefined)
    whole("retry.maxRecordAgeMillis", maxRecordAgeMillis, 1, 366 * 86_400_000);
  return filled;
}

function cap(value: WorkerOptions["maxLeasesForWorker"]): EngineOptions["maxLeasesForWorker"] {
  if (value === undefined) return () => undefined;
  if (typeof value === "number") {
    const most = whole("maxLeasesForWorker", value, 1, 1_000_000);
    return () => most;
  }
  if (typeof value !== "function")
    return wrong("maxLeasesForWorker", value, "a whole number from 1, or a function of { shards, workers }");
  return (fleet) => {
    const most = value(fleet);
    // 20 shards over 3 workers are 6.67 each. Rounded down, two shards would have no owner.
    if (!Number.isFinite(most) || most <= 0) {
      return wrong(
        `maxLeasesForWorker(${JSON.stringify(fleet)})`,
        most,
        "a number above 0, such as Math.ceil(shards / workers)",
      );
    }
    return Math.ceil(most);
  };
}

/**
 * Short, because every id is in a fleet row: the start of the ECS task id or host name, and a random part.
 */
const defaultWorkerId = (): string => {
  // ECS: the metadata URI ends with the task id and the container's number.
  const task = process.env.ECS_CONTAINER_METADATA_URI_V4?.split("/").at(-1);
  const place = (task || hostname()).replaceAll(/[^a-zA-Z0-9]/g, "").slice(0, 12);
  return `${place || "worker"}-${randomSuffix(6)}`;
};

function wrong(name: string, value: unknown, expected: string): never {
  throw new OptionError(
    `${name} is ${typeof value === "object" || typeof value === "string" ? JSON.stringify(value) : String(value)}: expected ${expected}`,
  );
}

function bounded(name: BoundedOption, options: WorkerOptions): number {
  const { least, most, fallback } = OPTION_BOUNDS[name];
  return whole(name, options[name] ?? fallback, least, most);
}

function whole(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most)
    wrong(name, value, `a whole number from ${least} to ${most}`);
  return value;
}

function text(name: string, value: string, pattern: RegExp, expected: string): string {
  if (typeof value !== "string" || !pattern.test(value)) wrong(name, value, expected);
  return value;
}

function flag(name: string, value: boolean): boolean {
  if (typeof value !== "boolean") wrong(name, value, "true or false");
  return value;
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) wrong(name, value, allowed.map((a) => JSON.stringify(a)).join(" or "));
  return value;
}

function hook<T>(name: string, value: T): T {
  if (value !== undefined && typeof value !== "function") wrong(name, value, "a function");
  return value;
}
