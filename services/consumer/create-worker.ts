/** The public way in: a worker on real AWS clients. */
import { randomSuffix, systemClock, systemRandom } from "../shared/platform.ts";
import { cloudWatchClient, dynamoDbClient, kinesisClient } from "./adapters/aws-clients.ts";
import { cloudWatchMetrics } from "./adapters/cloudwatch-metrics.ts";
import { dynamoDbLeaseStore } from "./adapters/dynamodb-lease-store.ts";
import { kinesisStream } from "./adapters/kinesis-stream.ts";
import { decide } from "./core/decide.ts";
import { Coordinator } from "./engine/coordinator.ts";
import { noMetrics } from "./ports/metrics.ts";
import { type Stream, StreamError } from "./ports/stream.ts";
import { compileOptions, loggerOf, type WorkerOptions } from "./worker-options.ts";

export interface Worker {
  readonly workerId: string;
  /**
   * Resolves when the worker takes part in the fleet. Rejects when the lease table cannot be used (`StoreUnusable`,
   * with what to do) or there is no such stream (`StreamError` "not-found"); what may pass by itself is retried.
   */
  start(): Promise<void>;
  /** A plain snapshot: state, leases, per-shard position and lag. */
  status(): WorkerStatus;
  /**
   * A shard that is halted, or waits for the next try of its handler, tries at once (it also does by itself: a halted
   * one once a minute). False: it does neither, or this worker does not hold it.
   */
  resume(shardId: string): boolean;
  /**
   * Resolves when every lease was drained, checkpointed and handed over or released.
   * @param budgetMillis default 25000, below Kubernetes's and ECS's 30 s: after it, handlers are aborted and leases released at their last checkpoint.
   * @returns the leases that had to be given up that way; empty after a clean stop
   */
  stop(budgetMillis?: number): Promise<readonly string[]>;
}

export type WorkerStatus = ReturnType<Coordinator["status"]>;

const DEFAULT_STOP_BUDGET_MILLIS = 25_000;

/** @throws OptionError naming the option, the value and the remedy. */
export function createWorker(options: WorkerOptions): Worker {
  const engineOptions = compileOptions(options);
  const logger = loggerOf(options);
  const { workerId, failoverTimeMillis } = engineOptions;
  const location = { region: options.region, endpoint: options.endpoint };
  const { kinesis, dynamodb, cloudwatch } = options.clients ?? {};
  const level = options.metricsLevel ?? "summary";
  const metrics =
    level === "none"
      ? noMetrics
      : cloudWatchMetrics({
          client: cloudwatch ?? cloudWatchClient(location),
          namespace: options.applicationName,
          level,
          logger,
          clock: systemClock,
        });
  const client = kinesis ?? kinesisClient(location);
  const stream =
    options.streamArn !== undefined
      ? kinesisStream({ client, streamArn: options.streamArn })
      : kinesisStream({ client, streamName: options.streamName! });
  const coordinator = new Coordinator(
    {
      store: dynamoDbLeaseStore({
        client: dynamodb ?? dynamoDbClient({ ...location, failoverTimeMillis }),
        tableName: options.leaseTableName ?? options.applicationName,
        clock: systemClock,
      }),
      stream,
      clock: systemClock,
      random: systemRandom,
      logger,
      metrics,
      newIncarnation: () => randomSuffix(8),
      decide,
    },
    engineOptions,
  );
  let started: Promise<void> | undefined;
  let stopped: Promise<readonly string[]> | undefined;
  return {
    workerId,
    start: () => {
      // Stopped meanwhile: then there is nothing to begin.
      started ??= requireStream(stream).then(() => (stopped === undefined ? coordinator.start() : undefined));
      return started;
    },
    status: () => coordinator.status(),
    resume: (shardId) => coordinator.resume(shardId),
    stop: (budgetMillis = DEFAULT_STOP_BUDGET_MILLIS) => {
      stopped ??= (async () => {
        const given = started === undefined ? [] : await coordinator.stop(budgetMillis);
        await metrics.stop();
        return given;
      })();
      return stopped;
    },
  };
}

/** A wrong name must not become a fleet that waits for ever: told at the start, before anything is written. */
async function requireStream(stream: Stream): Promise<void> {
  try {
    await stream.listShards();
  } catch (error) {
    // Throttling and the network pass; the engine has its own patience with them.
    if (error instanceof StreamError && error.problem === "not-found") throw error;
  }
}
