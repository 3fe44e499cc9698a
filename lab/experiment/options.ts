/** Converts the experiment's options to settings, and checks them as a whole before anything starts. Pure. */
import { wrongUse } from "../errors.ts";
import { type ExperimentSettings, leaseCap, SEED_SETTINGS } from "../settings.ts";

export interface ExperimentOptions {
  readonly shards: number;
  readonly splitTo: number;
  readonly pods: number;
  readonly scaleTo: number;
  readonly rate: number;
  readonly timeline: ExperimentSettings["timeline"];
  readonly out: string;
}

export function settingsFrom(options: ExperimentOptions): ExperimentSettings {
  const settings: ExperimentSettings = { ...SEED_SETTINGS, ...options };
  const { shards, splitTo, pods, scaleTo, maxLeasesLimit } = settings;
  if (splitTo < shards)
    throw wrongUse(
      `--split-to ${splitTo} is less than --shards ${shards}; give ${shards} or more (${shards}: no split)`,
    );
  if (scaleTo < pods)
    throw wrongUse(
      `--scale-to ${scaleTo} is less than --pods ${pods}; give ${pods} or more (${pods}: no scaling)`,
    );
  for (const [n, workers, option] of [
    [splitTo, pods, "--pods"],
    [splitTo, scaleTo, "--scale-to"],
  ] as const) {
    const cap = leaseCap(n, workers, maxLeasesLimit);
    if (cap * workers < n)
      throw wrongUse(
        `${n} shards on ${workers} pods: min(${maxLeasesLimit}, shards / pods) would leave ${n - cap * workers} unowned; give ${option} ${Math.ceil(n / maxLeasesLimit)} or more`,
      );
  }
  return settings;
}
