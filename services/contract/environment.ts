/**
 * The environment variables that `infra/` sets and the services read. Both sides import the names from here,
 * so neither can misspell them. Every value is a string; the service's `settings.ts` parses it.
 */
export const CONSUMER_ENVIRONMENT = {
  /** Application name: the metric namespace and the default lease table name. */
  applicationName: "APPLICATION_NAME",
  streamName: "STREAM_NAME",
  leaseTableName: "LEASE_TABLE_NAME",
  /** The limit in the lease cap formula min(limit, ceil(shards / workers)). Empty: no cap. */
  maxLeasesLimit: "MAX_LEASES_LIMIT",
  failoverTimeMillis: "FAILOVER_TIME_MILLIS",
  shardSyncIntervalMillis: "SHARD_SYNC_INTERVAL_MILLIS",
  enableLeaseStealing: "ENABLE_LEASE_STEALING",
  idleTimeBetweenReadsMillis: "IDLE_TIME_BETWEEN_READS_MILLIS",
  checkpointIntervalMillis: "CHECKPOINT_INTERVAL_MILLIS",
  leaseRenewal: "LEASE_RENEWAL",
  initialPosition: "INITIAL_POSITION",
  metricsLevel: "METRICS_LEVEL",
  logLevel: "LOG_LEVEL",
  /** Directory for the `<workerId>.jsonl` history files. Empty: see `history`. */
  historyDirectory: "HISTORY_DIRECTORY",
  /**
   * Used when there is no directory. `log`: a log line per record and batch, for a proof. `none` (default):
   * no history.
   */
  history: "HISTORY",
  /** Time limit for handing over all leases after SIGTERM. */
  stopBudgetMillis: "STOP_BUDGET_MILLIS",
  workerId: "WORKER_ID",
} as const;

export const PRODUCER_ENVIRONMENT = {
  streamName: "STREAM_NAME",
  /** Records per second. */
  rate: "RATE",
  /** Number of distinct partition keys. */
  keys: "KEYS",
  /** Zipf exponent of the key choice. 0: uniform. */
  skew: "SKEW",
  historyDirectory: "HISTORY_DIRECTORY",
  history: "HISTORY",
  logLevel: "LOG_LEVEL",
} as const;

export const RESHARDER_ENVIRONMENT = {
  streamName: "STREAM_NAME",
  leaseTableName: "LEASE_TABLE_NAME",
  clusterName: "CLUSTER_NAME",
  consumerServiceName: "CONSUMER_SERVICE_NAME",
  applicationName: "APPLICATION_NAME",
} as const;
