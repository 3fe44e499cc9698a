/**
 * A fault-free swarm: nothing fails unless the test says so. For scenario transcripts, and for counting
 * calls.
 */
import { DEFAULT_ASSIGNS_FROM } from "../../src/core/assignments.ts";
import { NO_FAULT_PLAN } from "./faults/plan.ts";
import { PLAIN_HANDLER } from "./handler-profile.ts";
import type { Swarm } from "./swarm.ts";
import { NO_FAULTS } from "./world/network.ts";

/** The library's defaults, exact clocks, fresh reads, 2 to 8 ms to any service. */
const FAULT_FREE: Swarm = {
  ...PLAIN_HANDLER,
  seed: 1,
  profile: "planned",
  workers: 0,
  startAtMillis: 0,
  startSpreadMillis: 0,
  shards: 1,
  earlierReshards: 0,
  trimmed: false,
  orphanedLeases: false,
  cap: { kind: "none" },
  steals: true,
  failoverTimeMillis: 10_000,
  shardSyncIntervalMillis: 5_000,
  leaseRenewal: "worker",
  checkpointIntervalMillis: 5_000,
  idleTimeBetweenReadsMillis: 1_000,
  maxRecords: 10_000,
  initialPosition: "TRIM_HORIZON",
  handlerMillis: { low: 0, high: 0 },
  handlerFailures: 0,
  keys: 2_000,
  putsPerSecond: 0,
  driftPercent: 0,
  wallClocksHoursOff: false,
  latencyMillis: { low: 1, high: 4 },
  timeoutMillis: 1_000,
  stalenessMillis: 0,
  scanSegments: 1,
  rates: NO_FAULTS,
  iteratorLifeMillis: 300_000,
  namesChildren: true,
  endsWithRecords: true,
  stopBudgetMillis: 30_000,
  safetyMillis: 0,
  schedule: [],
  assignsFrom: DEFAULT_ASSIGNS_FROM,
  faults: NO_FAULT_PLAN,
};

export const faultFreeSwarm = (but: Partial<Swarm> = {}): Swarm => ({ ...FAULT_FREE, ...but });
