/** What an experiment was asked to do, and the bounds its verdict is held to. Written into `report.json` as it is. */
export interface ExperimentSettings {
  /** Open shards at the start. */
  readonly shards: number;
  /** Open shards after the reshard; the same number: no reshard. */
  readonly splitTo: number;
  /** Consumer tasks at the start. */
  readonly pods: number;
  /** Consumer tasks at the end; the same number: no scaling. */
  readonly scaleTo: number;
  /** Records a second the producer puts. */
  readonly rate: number;
  /** Distinct partition keys. */
  readonly keys: number;
  /** `seed` keeps the wall-clock schedule of docs/experiment.md, `fast` goes on as soon as a phase is seen to be done. */
  readonly timeline: "fast" | "seed";
  /** Folder of the results. */
  readonly out: string;
  /** The seed's formula is min(maxLeasesLimit, shards / pods). Default 10, the seed's number. */
  readonly maxLeasesLimit: number;
  readonly bounds: Bounds;
}

export interface Bounds {
  /** Seed: "Consumers detect new shards within 5 seconds". */
  readonly childDetectionMillis: number;
  /** Seed: pods 4 & 5 start at 120 s, converged at 180 s. */
  readonly convergenceMillis: number;
  /** How old the work may be that a killed worker's successor repeats: checkpointIntervalMillis (5 s) and one batch in hand. */
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

/** The cap of one worker. Rounded up: 20 / 3 rounded down would leave two shards to nobody, and the seed expects 7/7/6. */
export const leaseCap = (shards: number, workers: number, limit: number): number =>
  workers === 0 ? 0 : Math.min(limit, Math.ceil(shards / workers));

/** Leases per worker when all is even, highest first: 20 on 3 is [7, 7, 6]. Never above the cap, even if shards stay unowned. */
export function evenDistribution(shards: number, workers: number, limit: number): number[] {
  const cap = leaseCap(shards, workers, limit);
  const owned = Math.min(shards, cap * workers);
  return Array.from(
    { length: workers },
    (_, i) => Math.floor(owned / workers) + (i < owned % workers ? 1 : 0),
  );
}
