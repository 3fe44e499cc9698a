/** The lease store of one simulated worker: the shared table, reached through that worker's network. */
import type { Lease } from "../../../src/core/lease.ts";
import type { FleetRow } from "../../../src/core/member.ts";
import {
  type LeaseListing,
  type LeaseStore,
  StoreUnavailableError,
  StoreUnusableError,
  withBump,
} from "../../../src/ports/lease-store.ts";
import type { LeaseTable } from "./lease-table.ts";
import { type Call, directCall, type Failure } from "./network.ts";

/** Calls and capacity units by operation, as DynamoDB bills them. */
export interface Cost {
  calls: Map<string, number>;
  readUnits: number;
  writeUnits: number;
}

export const noCost = (): Cost => ({ calls: new Map(), readUnits: 0, writeUnits: 0 });

/** Approximate length of a lease row with its hash range and parents. */
const LEASE_ROW_BYTES = 420;
const FLEET_ROW_BYTES = 1_000;
const READ_UNIT_BYTES = 4_096;

const NOTHING_LISTED: LeaseListing = { leases: [], corrupt: [], fleetRows: [], hasApplication: false };

/** Names errors as the DynamoDB adapter does: an error that needs an operator is `StoreUnusable`. */
function problem(operation: string, how: Failure): Error {
  const message = `${operation}: ${how}`;
  const mayPass = how === "throttled" || how === "unavailable" || how === "malformed-answer";
  const options = { errorClass: how };
  return mayPass ? new StoreUnavailableError(message, options) : new StoreUnusableError(message, options);
}

export interface MemoryLeaseStoreOptions {
  readonly worker?: string;
  readonly call?: Call;
  /** True time as of which an eventually consistent read returns a row; drawn for every row. */
  readonly asOf?: () => number;
  readonly cost?: Cost;
  /** In how many parts, one after another, a scan reads the table. */
  readonly scanSegments?: number;
}

export function memoryLeaseStore(table: LeaseTable, options: MemoryLeaseStoreOptions = {}): LeaseStore {
  const { worker = "worker", call = directCall, asOf, cost = noCost(), scanSegments = 1 } = options;

  const count = (operation: string, units: { read?: number; write?: number }) => {
    cost.calls.set(operation, (cost.calls.get(operation) ?? 0) + 1);
    cost.readUnits += units.read ?? 0;
    cost.writeUnits += units.write ?? 0;
  };
  const unavailable = (operation: string) => (how: Failure) => problem(operation, how);

  const write = <T>(operation: string, apply: () => T): Promise<T> => {
    count(operation, { write: 1 });
    return call(operation, apply, unavailable(operation));
  };
  /** Writes of a fleet row other than 0 move the fleet version of row 0 in a second call. */
  const bumpAfter = async (fleetRow: number): Promise<void> => {
    if (fleetRow > 0) await write("bumpFleetVersion", () => table.bumpFleetVersion(worker));
  };

  return {
    ensureTable: async () => call("ensureTable", () => undefined, unavailable("ensureTable")),
    async list({ consistent }) {
      const leases: Lease[] = [];
      const corrupt: LeaseListing["corrupt"][number][] = [];
      const fleetRows: FleetRow[] = [];
      let hasApplication = false;
      // One empty page of several is no valid answer; a whole table without rows is one.
      const empty = scanSegments === 1 ? () => NOTHING_LISTED : undefined;
      for (let segment = 0; segment < scanSegments; segment++) {
        const poll = () => table.list(segment, scanSegments, consistent ? undefined : asOf);
        const part = await call("list", poll, unavailable("list"), empty);
        leases.push(...part.leases);
        corrupt.push(...part.corrupt);
        fleetRows.push(...part.fleetRows);
        hasApplication ||= part.hasApplication;
      }
      const bytes = leases.length * LEASE_ROW_BYTES + fleetRows.length * FLEET_ROW_BYTES;
      count("list", { read: Math.max(1, Math.ceil(bytes / READ_UNIT_BYTES)) * (consistent ? 1 : 0.5) });
      return { leases, corrupt, fleetRows: fleetRows, hasApplication };
    },
    read(leaseKey) {
      count("read", { read: 1 });
      const poll = () => (table.isGarbled(leaseKey) ? undefined : table.lease(leaseKey));
      return call("read", poll, unavailable("read"), () => undefined);
    },
    create: (lease: Lease) => write("create", () => table.create(worker, lease)),
    claim: (seen, owner) => write("claim", () => table.claim(worker, seen, owner)),
    renew: (held) => write("renew", () => table.renew(worker, held)),
    checkpoint: (held, checkpoint) => write("checkpoint", () => table.checkpoint(worker, held, checkpoint)),
    handOver: (held, to, checkpoint) => write("handOver", () => table.handOver(worker, held, to, checkpoint)),
    release: (held, checkpoint) => write("release", () => table.release(worker, held, checkpoint)),
    complete: (held, children) => write("complete", () => table.complete(worker, held, children)),
    readApplication() {
      count("readApplication", { read: 1 });
      return call("readApplication", () => table.application.row, unavailable("readApplication"));
    },
    createApplication: (application) =>
      write("createApplication", () => table.application.create(application)),
    replaceApplication: (seen, next) =>
      write("replaceApplication", () => table.application.replace(seen, next)),
    remove: (seen) => write("remove", () => table.remove(worker, seen)),
    readFleet(fleetRow, readOptions) {
      const consistent = readOptions?.consistent ?? false;
      count("readFleet", { read: consistent ? 1 : 0.5 });
      const poll = () => table.fleetRow(fleetRow, consistent ? undefined : asOf?.());
      return call("readFleet", poll, unavailable("readFleet"), () => undefined);
    },
    async join(fleetRow, member) {
      const joined = await write("join", () => table.join(worker, fleetRow, member));
      return joined.kind === "ok" ? withBump(joined, bumpAfter(fleetRow)) : joined;
    },
    async sendHeartbeat(fleetRow, member, { bump }) {
      const written = await write("sendHeartbeat", () => table.sendHeartbeat(worker, fleetRow, member, bump));
      return bump && written.kind === "ok" ? withBump(written, bumpAfter(fleetRow)) : written;
    },
    async markDead(fleetRow, seen) {
      const outcome = await write("markDead", () => table.markDead(worker, fleetRow, seen));
      if (outcome === "declared") await bumpAfter(fleetRow);
      return outcome;
    },
    assign: (fleetRow, assignments, size) => write("assign", () => table.assign(fleetRow, assignments, size)),
    async leave(fleetRow, member) {
      const outcome = await write("leave", () => table.leave(worker, fleetRow, member));
      if (outcome === "left") await bumpAfter(fleetRow);
      return outcome;
    },
    bumpFleetVersion: () => write("bumpFleetVersion", () => table.bumpFleetVersion(worker)),
  };
}
