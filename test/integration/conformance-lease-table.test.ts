import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { describeLeaseTable } from "../conformance/lease-table-suite.ts";
import { endpointConfig } from "./endpoint-setup.ts";

describeLeaseTable("DynamoDB adapter on the embedded endpoint", async () => {
  const client = new DynamoDBClient(endpointConfig());
  return { client, close: async () => client.destroy() };
});
