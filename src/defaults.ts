/**
 * The whole-number options of a worker that its environment and a pod's configuration file set as well: bounds and the
 * library's defaults, in one place, so that what one of them takes no other refuses.
 */
export interface OptionBounds {
  readonly least: number;
  readonly most: number;
  /** The library's; a stack may have its own. */
  readonly fallback: number;
}

export const OPTION_BOUNDS = {
  /** Below a second, an ordinary pause of the garbage collector or of the network costs a worker its leases. KCL's default. */
  failoverTimeMillis: { least: 1_000, most: 3_600_000, fallback: 10_000 },
  /** The leader calls ListShards so often; a resharder of ours wakes the fleet at once. */
  shardSyncIntervalMillis: { least: 250, most: 3_600_000, fallback: 5_000 },
  /** Kinesis allows five reads a second of a shard, all its readers together. */
  idleTimeBetweenReadsMillis: { least: 200, most: 60_000, fallback: 1_000 },
  /** 0: `await checkpoint()` returns when the position is written. */
  checkpointIntervalMillis: { least: 0, most: 3_600_000, fallback: 5_000 },
} as const satisfies Record<string, OptionBounds>;

export type BoundedOption = keyof typeof OPTION_BOUNDS;
