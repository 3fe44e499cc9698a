/** The lease table through the engine's own store, so that the lab reads rows as a worker does. */
import { dynamoDbLeaseStore } from "../../src/inspect.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Clients } from "../aws/clients.ts";
import type { Snapshot } from "./state.ts";

export interface LeaseTable {
  /** One consistent scan. */
  snapshot(): Promise<Snapshot>;
  /**
   * The version of fleet row 0, which changes with every change of membership or ownership. Undefined: no
   * worker has joined yet. Costs half a read unit.
   */
  fleetVersion(): Promise<number | undefined>;
}

export function leaseTable(clients: Clients, tableName: string, clock: Clock): LeaseTable {
  const store = dynamoDbLeaseStore({ client: clients.dynamoDb, tableName });
  return {
    async snapshot() {
      const listing = await store.list({ consistent: true });
      return { t: clock.wallMillis(), ...listing };
    },
    async fleetVersion() {
      return (await store.readFleet(0))?.version;
    },
  };
}
