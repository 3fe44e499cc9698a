/**
 * Bounds and defaults of the whole-number options that an environment and a pod's configuration file can set
 * too. They are in one place, so that all three accept the same values.
 */
export interface OptionBounds {
  readonly least: number;
  readonly most: number;
  /** The library's default; a stack may have its own. */
  readonly fallback: number;
}

export const OPTION_BOUNDS = {
  /**
   * Below a second, an ordinary pause of the garbage collector or the network costs a worker its leases.
   * KCL's default.
   */
  failoverTimeMillis: { least: 1_000, most: 3_600_000, fallback: 10_000 },
  /**
   * How often the leader calls ListShards. The resharder of this repository makes the fleet list shards at
   * once.
   */
  shardSyncIntervalMillis: { least: 250, most: 3_600_000, fallback: 5_000 },
  /** Kinesis allows five reads a second of a shard, by all its readers together. */
  idleTimeBetweenReadsMillis: { least: 200, most: 60_000, fallback: 1_000 },
  /** 0: `await checkpoint()` resolves when the position is written. */
  checkpointIntervalMillis: { least: 0, most: 3_600_000, fallback: 5_000 },
} as const satisfies Record<string, OptionBounds>;

export type BoundedOption = keyof typeof OPTION_BOUNDS;
