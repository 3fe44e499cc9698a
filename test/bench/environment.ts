/** The embedded endpoint with a stream, a lease table and a sampler: where a fleet is measured. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateStreamCommand, DeleteStreamCommand } from "@aws-sdk/client-kinesis";
import { type Clients, clientsFor } from "../../lab/aws/clients.ts";
import { listShards, streamStatus } from "../../lab/aws/stream.ts";
import { embeddedTarget } from "../../lab/aws/target.ts";
import { HistoryWriter } from "../../lab/experiment/history-writer.ts";
import { Sampler } from "../../lab/experiment/sampler.ts";
import { isEven } from "../../lab/fleet/state.ts";
import { HistoryTail } from "../../lab/history/tail.ts";
import { type Endpoint, freePorts, portsFromEnvironment, startEndpoint } from "../../local/index.ts";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { dynamoDbLeaseStore } from "../../src/inspect.ts";
import { systemClock as clock } from "../../src/platform.ts";
import { Fleet } from "./fleet.ts";

export interface Fixture {
  readonly endpoint: Endpoint;
  readonly clients: Clients;
  /** For logs and history files. Removed at the end unless something failed. */
  readonly folder: string;
  close(keepFolder: boolean): Promise<void>;
  /** A note that says where `folder` is, if it is kept. */
  keptText(keep: boolean): readonly string[];
}

/**
 * An endpoint of its own, unknown to other commands: beside EVENKEEL_PORT if that is set, else on free ports.
 */
export async function openFixture(): Promise<Fixture> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
  const ports = process.env.EVENKEEL_PORT ? portsFromEnvironment(process.env) : await freePorts();
  const endpoint = await startEndpoint({ ports, announce: false, logFolder: join(folder, "logs") });
  const clients = clientsFor(embeddedTarget(endpoint.url));
  return {
    endpoint,
    clients,
    folder,
    keptText: (keep) => (keep ? [`histories and logs: ${folder}`] : []),
    async close(keepFolder) {
      clients.close();
      await endpoint.stop();
      if (!keepFolder) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface TestEnvironment {
  readonly name: string;
  readonly fleet: Fleet;
  readonly sampler: Sampler;
  readonly folder: string;
  /** Writes an event of the benchmark itself into the history. */
  write(event: HistoryEvent): void;
  mark(name: string, detail?: Record<string, unknown>): number;
  /** Waits until `workers` read `shards` evenly for a while. Throws if that does not happen in time. */
  even(shards: number, workers: number): Promise<void>;
  /** Resolves when the first records are in the stream. */
  producing(): Promise<void>;
  /** Resolves when every record that was put has been read. */
  drained(): Promise<void>;
  close(): Promise<void>;
}

/** More than twice the library's failover time: what has not happened by then does not happen. */
const TIMEOUT_MILLIS = 60_000;
const STABLE_MILLIS = 1_500;

export async function openEnvironment(
  fixture: Fixture,
  options: { readonly name: string; readonly shards: number; readonly failoverTimeMillis: number },
  signal: AbortSignal,
): Promise<TestEnvironment> {
  const { name, shards, failoverTimeMillis } = options;
  const { clients } = fixture;
  const folder = join(fixture.folder, name);
  const store = dynamoDbLeaseStore({ client: clients.dynamoDb, tableName: name });
  await Promise.all([
    clients.kinesis.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards })),
    store.ensureTable(true),
  ]);
  while ((await streamStatus(clients, name)) !== "ACTIVE") await clock.sleep(50, signal);
  const fleet = new Fleet({ name, environment: fixture.endpoint.environment, folder, failoverTimeMillis });
  const history = new HistoryWriter(join(folder, "lab.jsonl"));
  const write = (event: HistoryEvent) => history.write(event);
  const mark = (event: string, detail: Record<string, unknown> = {}): number => {
    const t = clock.wallMillis();
    write({ ...detail, type: "event", t, name: event });
    return t;
  };
  const tail = new HistoryTail(folder);
  const joined = new Set<string>();
  const leases = {
    snapshot: async () => {
      const snapshot = { t: clock.wallMillis(), ...(await store.list({ consistent: true })) };
      for (const { workerId: worker } of snapshot.fleetRows.flatMap((page) => page.members)) {
        if (joined.has(worker)) continue;
        joined.add(worker);
        write({ type: "event", t: snapshot.t, name: "member-seen", worker });
      }
      return snapshot;
    },
  };
  const sources = { leases, listShards: () => listShards(clients, name), flow: () => tail.poll() };
  const sampler = new Sampler(sources, write, clock, () => undefined);
  sampler.start();
  await sampler.noteShards();
  const until = async (
    what: string,
    stableMillis: number,
    holds: Parameters<Sampler["until"]>[0]["holds"],
  ) => {
    const wait = await sampler.until({ what, timeoutMillis: TIMEOUT_MILLIS, stableMillis, holds }, signal);
    if (!wait.seen)
      throw new Error(`${name}: not seen within ${TIMEOUT_MILLIS / 1_000} s: ${what}; look at ${folder}`);
  };
  return {
    name,
    fleet,
    sampler,
    folder,
    write,
    mark,
    even: (open, workers) =>
      until(`${open} shards on ${workers} workers`, STABLE_MILLIS, ({ fleet: seen }) =>
        isEven(seen, open, workers),
      ),
    producing: () => until("the first records", 0, ({ flow }) => flow.produced > 0),
    drained: () => until("everything read", 0, ({ flow }) => flow.produced > 0 && flow.pending === 0),
    async close() {
      await fleet.close();
      await sampler.stop();
      await history.close();
      await clients.kinesis.send(new DeleteStreamCommand({ StreamName: name }));
    },
  };
}
