/** The public entry point: a worker on real AWS clients. */

import { cloudWatchClient, dynamoDbClient, kinesisClient } from "./adapters/aws-clients.ts";
import { cloudWatchMetrics } from "./adapters/cloudwatch/metrics.ts";
import { dynamoDbLeaseStore } from "./adapters/dynamodb/lease-store.ts";
import { kinesisStream } from "./adapters/kinesis/stream.ts";
import { describeStream } from "./adapters/kinesis/stream-description.ts";
import { decide } from "./core/decide.ts";
import { isMd5Available } from "./core/md5.ts";
import { Coordinator } from "./engine/coordinator.ts";
import type { WorkerHealth } from "./engine/worker-report.ts";
import { compileOptions, loggerOf, type WorkerOptions } from "./options.ts";
import { randomSuffix, systemClock, systemRandom } from "./platform.ts";
import { noMetrics } from "./ports/metrics.ts";

export interface Worker {
  readonly workerId: string;
  /**
   * Resolves when the worker takes part in the fleet. Rejects within 30 s on an error that a retry cannot
   * fix; the message states the remedy: a missing permission (`StoreUnusableError`, `StreamError`), no such
   * stream, a table that is not a lease table, another living worker with this id (`DuplicateWorkerIdError`),
   * a stream that was deleted and created again (`StreamReplacedError`). Errors that may pass by themselves
   * (throttling, time-outs, 5xx) are retried and logged.
   */
  start(): Promise<void>;
  /** A plain snapshot: state, leases, position and lag per shard, current failures. */
  status(): WorkerStatus;
  /** For the probes of a container platform. */
  health(): WorkerHealth;
  /**
   * Makes a shard try at once that is halted, or waits for the next try of its handler. (A halted shard also
   * tries by itself once a minute.) False: the shard is in neither state, or this worker does not hold it.
   */
  resume(shardId: string): boolean;
  /**
   * Resolves when every lease has been drained, checkpointed and handed over or released. It can be called at
   * any moment, also while starting. A second call may shorten the budget.
   *
   * @param budgetMillis Milliseconds. Default: 25000, below the 30 s of Kubernetes and ECS. Before it ends,
   *   handlers are aborted and leases are released at the position that is known to be processed.
   * @returns the leases that were force-released in this way; empty after a clean stop
   */
  stop(budgetMillis?: number): Promise<readonly string[]>;
}

export type WorkerStatus = ReturnType<Coordinator["status"]>;

const DEFAULT_STOP_BUDGET_MILLIS = 25_000;

/** @throws OptionError naming the option, the value and the remedy */
export function createWorker(options: WorkerOptions): Worker {
  const engineOptions = compileOptions(options);
  const logger = loggerOf(options);
  const { workerId, failoverTimeMillis } = engineOptions;
  if (!isMd5Available()) {
    logger.warn(
      {},
      "this Node has no MD5 (FIPS mode): KPL aggregates are recognised by their layout, without their checksum",
    );
  }
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
    options.streamArn !== undefined ? { streamArn: options.streamArn } : { streamName: options.streamName! };
  const coordinator = new Coordinator(
    {
      store: dynamoDbLeaseStore({
        client: dynamodb ?? dynamoDbClient({ ...location, failoverTimeMillis }),
        tableName: options.leaseTableName ?? options.applicationName,
        clock: systemClock,
      }),
      stream: kinesisStream({ client, ...stream }),
      describeStream: describeStream(client, stream),
      clock: systemClock,
      random: systemRandom,
      logger,
      metrics,
      newIncarnation: () => randomSuffix(8),
      decide,
    },
    engineOptions,
  );
  return {
    workerId,
    start: () => coordinator.start(),
    status: () => coordinator.status(),
    health: () => coordinator.health(),
    resume: (shardId) => coordinator.resume(shardId),
    stop: async (budgetMillis = DEFAULT_STOP_BUDGET_MILLIS) => {
      const given = await coordinator.stop(budgetMillis);
      await metrics.stop();
      return given;
    },
  };
}
