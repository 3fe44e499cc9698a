/**
 * The measures of a running fleet, from the growing history files and from samples of the leases and shards.
 */

import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Clients } from "../aws/clients.ts";
import type { Deployment } from "../aws/outputs.ts";
import { listShards } from "../aws/stream.ts";
import { leaseTable } from "../fleet/lease-table.ts";
import type { FleetState } from "../fleet/state.ts";
import { HistoryTail } from "../history/tail.ts";
import { Measurement, type Measures } from "../measures/index.ts";
import type { ExperimentSettings } from "../settings.ts";
import { Sampler } from "./sampler.ts";

export interface LiveAnalysis {
  readonly clients: Clients;
  readonly deployment: Deployment;
  readonly historyFolder: string;
  readonly settings: ExperimentSettings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onMeasures: (measures: Measures, fleet: FleetState | undefined) => void;
}

const SHOW_MILLIS = 1_000;

/** Runs until the signal aborts. Rejects when the lease table can no longer be read. */
export async function analyzeLive(options: LiveAnalysis): Promise<void> {
  const { clients, deployment, settings, clock, signal } = options;
  const measurement = new Measurement(settings);
  // The lines of several files arrive one file after another. One second of lines is sorted by time before it
  // is measured.
  let waiting: HistoryEvent[] = [];
  const observe = (event: HistoryEvent) => void waiting.push(event);
  const tail = new HistoryTail(options.historyFolder, observe);
  const sampler = new Sampler(
    {
      leases: leaseTable(clients, deployment.leaseTableName, clock),
      listShards: () => listShards(clients, deployment.streamName),
      flow: () => tail.poll(),
    },
    observe,
    clock,
    () => undefined,
  );
  await sampler.noteShards();
  sampler.start();
  const stopping = new AbortController();
  // The stream never has zero open shards, so this polls for splits until the signal aborts.
  const shards = sampler.watchShards(0, AbortSignal.any([signal, stopping.signal]));
  try {
    while (!signal.aborted) {
      for (const event of waiting.toSorted((a, b) => a.t - b.t)) measurement.observe(event);
      waiting = [];
      options.onMeasures(measurement.result(), sampler.latest?.fleet);
      await Promise.race([clock.sleep(SHOW_MILLIS, signal), shards, sampler.failed]);
    }
  } finally {
    stopping.abort();
    await sampler.stop();
  }
}
