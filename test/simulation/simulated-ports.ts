/**
 * A simulated process and its ports: its clock, its network, and the table and the stream as it reads them.
 */

import type { Clock } from "../../src/ports/clock.ts";
import type { LeaseStore } from "../../src/ports/lease-store.ts";
import type { Stream } from "../../src/ports/stream.ts";
import type { Mutation } from "./mutation.ts";
import type { Swarm } from "./swarm.ts";
import type { History } from "./world/history.ts";
import type { LeaseTable } from "./world/lease-table.ts";
import { type Cost, memoryLeaseStore, noCost } from "./world/memory-lease-store.ts";
import { memoryStream, type StreamRules } from "./world/memory-stream.ts";
import { type Call, type NetworkConditions, NO_FAULTS, networkCall } from "./world/network.ts";
import type { Outages } from "./world/outages.ts";
import type { Prng } from "./world/prng.ts";
import type { Scheduler } from "./world/scheduler.ts";
import { SimProcess } from "./world/sim-clock.ts";
import type { StreamData } from "./world/stream-data.ts";

export interface World {
  readonly swarm: Swarm;
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly table: LeaseTable;
  readonly data: StreamData;
  readonly rules: StreamRules;
  readonly mutation: Mutation | undefined;
  readonly outages: Outages;
  /** Called at every call of a port: faults may stop while a worker runs. */
  readonly faultsOn: () => boolean;
  readonly log: (line: string) => void;
}

export interface SimulatedPorts {
  readonly process: SimProcess;
  readonly network: { readonly store: NetworkConditions; readonly stream: NetworkConditions };
  readonly store: LeaseStore;
  readonly stream: Stream;
  readonly clock: Clock;
  readonly cost: Cost;
  readonly streamCalls: Map<string, number>;
}

export function simulatedPorts(world: World, id: string, prng: Prng): SimulatedPorts {
  const { swarm, scheduler, history, table, data, rules, mutation, outages, faultsOn, log } = world;
  const drift = swarm.driftPercent / 100;
  const clockError = {
    rate: 1 + prng.between(-drift, drift),
    wallOffsetMillis: swarm.wallClocksHoursOff ? prng.integer(-2, 2) * 3_600_000 : 0,
  };
  const process = new SimProcess(id, scheduler, clockError);
  const rates = faultsOn() ? swarm.rates : NO_FAULTS;
  const network = {
    store: { rates: { ...rates }, partitioned: false },
    // Calls of the stream are reads: a lost answer loses nothing that was written.
    stream: { rates: { ...rates, lostAnswer: 0 }, partitioned: false },
  };
  const call = (service: "store" | "stream"): Call => {
    const hanging = prng.fork(`hanging ${service}`);
    const hungShare = swarm.faults.hungCalls[service];
    const through = networkCall(
      process,
      scheduler,
      prng.fork(service),
      network[service],
      {
        ...swarm,
        outageOf: (operation) => outages.of(id, service, operation),
        hangs: () => hungShare > 0 && faultsOn() && hanging.chance(hungShare),
        hungExcuseMillis: swarm.failoverTimeMillis,
      },
      (kind, until, detail) =>
        history.add({ type: "trouble", worker: id, kind, until, detail: `${service} ${detail}` }),
    );
    return (operation, apply, failed, empty) => {
      log(`${id} -> ${operation}`);
      return through(operation, apply, failed, empty);
    };
  };
  const cost = noCost();
  const streamCalls = new Map<string, number>();
  const stale = prng.fork("stale");
  const empty = prng.fork("empty reads");
  let store = memoryLeaseStore(table, {
    worker: id,
    call: call("store"),
    cost,
    scanSegments: swarm.scanSegments,
    asOf: () => scheduler.now - stale.next() * swarm.stalenessMillis,
  });
  const list = store.list;
  store = {
    ...store,
    list: (options) => {
      history.add({ type: "scan", worker: id, rows: table.leases().length });
      return list(options);
    },
  };
  let stream = memoryStream(data, rules, {
    worker: id,
    call: call("stream"),
    calls: streamCalls,
    now: () => scheduler.now,
    record: history.add.bind(history),
    findsNothing: () => swarm.emptyReads > 0 && empty.chance(swarm.emptyReads),
  });
  let clock = process.clock;
  if (mutation?.store) store = mutation.store(store, table, id, swarm);
  if (mutation?.stream) stream = mutation.stream(stream);
  if (mutation?.clock) clock = mutation.clock(clock);
  return { process, network, store, stream, clock, cost, streamCalls };
}
