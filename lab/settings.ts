/** The settings of an experiment, and the bounds for its verdict. Written to `report.json` unchanged. */
export interface ExperimentSettings {
  /** Open shards at the start. */
  readonly shards: number;
  /** Open shards after the reshard. The same number: no reshard. */
  readonly splitTo: number;
  /** Consumer tasks at the start. */
  readonly pods: number;
  /** Consumer tasks at the end. The same number: no scaling. */
  readonly scaleTo: number;
  /** The producer's records per second. */
  readonly rate: number;
  /** Distinct partition keys. */
  readonly keys: number;
  /**
   * `seed` keeps the wall-clock schedule of docs/experiment.md. `fast` continues as soon as a phase has
   * reached its state.
   */
  readonly timeline: "fast" | "seed";
  /** Folder of the results. */
  readonly out: string;
  /** The limit in the seed's formula min(maxLeasesLimit, shards / pods). Default: 10, the seed's number. */
  readonly maxLeasesLimit: number;
  readonly bounds: Bounds;
}

export interface Bounds {
  /** Seed: "Consumers detect new shards within 5 seconds". */
  readonly childDetectionMillis: number;
  /** Seed: pods 4 & 5 start at 120 s, converged at 180 s. */
  readonly convergenceMillis: number;
  /**
   * How old the work may be that a killed worker's successor repeats: checkpointIntervalMillis (5 s) and one
   * batch in flight.
   */
  readonly crashReplayMillis: number;
}

export const SEED_SETTINGS: ExperimentSettings = {
  shards: 20,
  splitTo: 30,
  pods: 3,
  scaleTo: 5,
  rate: 200,
  keys: 400,
  timeline: "fast",
  out: "out",
  maxLeasesLimit: 10,
  bounds: { childDetectionMillis: 5_000, convergenceMillis: 60_000, crashReplayMillis: 7_000 },
};

/**
 * The lease cap of one worker. Rounded up: rounding 20 / 3 down would leave two shards unowned, and the seed
 * expects 7/7/6.
 */
export const leaseCap = (shards: number, workers: number, limit: number): number =>
  workers === 0 ? 0 : Math.min(limit, Math.ceil(shards / workers));

/**
 * Leases per worker in an even fleet, highest first: 20 on 3 is [7, 7, 6]. Never above the cap, even if
 * shards stay unowned.
 */
export function evenDistribution(shards: number, workers: number, limit: number): number[] {
  const cap = leaseCap(shards, workers, limit);
  const owned = Math.min(shards, cap * workers);
  return Array.from(
    { length: workers },
    (_, i) => Math.floor(owned / workers) + (i < owned % workers ? 1 : 0),
  );
}
