/** The public way in: a worker on real AWS clients. */

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
   * Resolves when the worker takes part in the fleet. Rejects, within 30 s, on what cannot work, with the remedy: a missing
   * right (`StoreUnusable`, `StreamError`), no such stream, a table that is no lease table, another living worker of this
   * id (`DuplicateWorkerIdError`), a stream that was deleted and made again (`StreamReplacedError`). What may pass by
   * itself (throttling, time-outs, 5xx) is waited out, and said.
   */
  start(): Promise<void>;
  /** A plain snapshot: state, leases, per-shard position and lag, what fails. */
  status(): WorkerStatus;
  /** For the probes of a container platform. */
  health(): WorkerHealth;
  /**
   * A shard that is halted, or waits for the next try of its handler, tries at once (it also does by itself: a halted
   * one once a minute). False: it does neither, or this worker does not hold it.
   */
  resume(shardId: string): boolean;
  /**
   * Resolves when every lease was drained, checkpointed and handed over or released; at any moment, also while starting. A
   * second call may shorten the budget.
   * @param budgetMillis default 25000, below Kubernetes's and ECS's 30 s: before it ends, handlers are aborted and leases released as far as is known.
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
