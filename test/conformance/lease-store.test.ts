import { dynamoDbLeaseStore } from "../../services/consumer/adapters/dynamodb-lease-store.ts";
import { describeLeaseStore } from "./lease-store-suite.ts";
import { startDynalite } from "./local-servers.ts";

let server: Awaited<ReturnType<typeof startDynalite>>;
let tables = 0;

describeLeaseStore(
  "DynamoDB adapter on dynalite",
  async () => {
    const tableName = `leases-${++tables}`;
    const open = () => dynamoDbLeaseStore({ client: server.client, tableName });
    const store = open();
    await store.ensureTable(true);
    return { store, rival: open(), close: async () => undefined };
  },
  { returnsOldItem: false },
  {
    prepare: async () => {
      server = await startDynalite();
    },
    tearDown: () => server.close(),
  },
);
