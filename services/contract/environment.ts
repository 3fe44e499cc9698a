/**
 * The environment contract: the names `infra/` sets and the services read, in one place, so that neither side
 * can misspell them. Every value is a string in the environment; the service's `settings.ts` parses it.
 */
export const CONSUMER_ENVIRONMENT = {
  /** Application name: metric namespace and default lease table name. */
  applicationName: "APPLICATION_NAME",
  streamName: "STREAM_NAME",
  leaseTableName: "LEASE_TABLE_NAME",
  /** Most leases one worker may hold in the formula min(limit, ceil(shards / workers)). Empty: no cap. */
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
  /** Folder for `<workerId>.jsonl` history files; empty: see `history`. */
  historyDirectory: "HISTORY_DIRECTORY",
  /** Without a folder: `log`: a log line per record and batch, for a proof; `none` (default): no history. */
  history: "HISTORY",
  /** Budget for handing everything over after SIGTERM. */
  stopBudgetMillis: "STOP_BUDGET_MILLIS",
  workerId: "WORKER_ID",
} as const;

export const PRODUCER_ENVIRONMENT = {
  streamName: "STREAM_NAME",
  /** Records a second. */
  rate: "RATE",
  /** Number of distinct partition keys. */
  keys: "KEYS",
  /** Zipf exponent of the key choice; 0: even. */
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
