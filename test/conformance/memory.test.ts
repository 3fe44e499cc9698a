/** The simulator's store keeps the very conditions that DynamoDB keeps: what the simulation proves rests on this. */
import { LeaseTable } from "../simulation/world/lease-table.ts";
import { memoryLeaseStore } from "../simulation/world/memory-lease-store.ts";
import { describeLeaseStore } from "./lease-store-suite.ts";

describeLeaseStore(
  "memory (simulator)",
  async () => {
    const table = new LeaseTable();
    return {
      store: memoryLeaseStore(table, { worker: "store" }),
      rival: memoryLeaseStore(table, { worker: "rival" }),
      close: async () => undefined,
    };
  },
  { returnsOldItem: true },
);
