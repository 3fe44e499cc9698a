/**
 * The lease-store suite on the embedded endpoint, through its gateway, with the clients that the engine uses.
 */
import { DeleteTableCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { inject, vi } from "vitest";
import { dynamoDbClient } from "../../src/adapters/aws-clients.ts";
import { dynamoDbLeaseStore } from "../../src/adapters/dynamodb/lease-store.ts";
import { describeLeaseStore } from "../conformance/lease-store-suite.ts";

let client: DynamoDBClient;
let tables = 0;

describeLeaseStore(
  "DynamoDB adapter on the embedded endpoint",
  async () => {
    const tableName = `conformance-leases-${++tables}`;
    const open = () => dynamoDbLeaseStore({ client, tableName });
    const store = open();
    await store.ensureTable(true);
    const close = async () => {
      await client.send(new DeleteTableCommand({ TableName: tableName }));
    };
    return { store, rival: open(), close };
  },
  { returnsOldItem: true },
  {
    prepare: async () => {
      vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
      client = dynamoDbClient({
        endpoint: inject("endpointUrl"),
        region: "us-east-1",
        failoverTimeMillis: 10_000,
      });
    },
    tearDown: async () => {
      client.destroy();
      vi.unstubAllEnvs();
    },
  },
);
