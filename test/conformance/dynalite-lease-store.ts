/** The lease-store suite on the DynamoDB adapter and dynalite, with any client that reaches it. */
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { dynamoDbLeaseStore } from "../../src/adapters/dynamodb/lease-store.ts";
import { describeLeaseStore } from "./lease-store-suite.ts";
import { type LocalServer, startDynalite } from "./local-servers.ts";

export function describeOnDynalite(
  name: string,
  clientOf: (server: LocalServer<DynamoDBClient>) => DynamoDBClient,
): void {
  let server: LocalServer<DynamoDBClient>;
  let tables = 0;
  describeLeaseStore(
    name,
    async () => {
      const tableName = `leases-${++tables}`;
      const open = () => dynamoDbLeaseStore({ client: clientOf(server), tableName });
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
}
