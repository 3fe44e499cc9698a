/** The Lambda's entry: real clients and clock for `makeHandler`. Wrong environment shows at cold start. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { systemClock, systemRandom } from "../../src/platform.ts";
import { RESHARDER_ENVIRONMENT } from "../contract/environment.ts";
import { dynamoDbFleet } from "./adapters/dynamodb-fleet.ts";
import { kinesisStream } from "./adapters/kinesis-stream.ts";
import { makeHandler } from "./make-handler.ts";

function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set; the stack sets it (infra/constructs/resharder-function.ts)`);
  return value;
}

/** In the user agent of its calls: who calls is seen in CloudTrail, and in the embedded endpoint's counts. */
const userAgentAppId = "resharder";

/** Short calls: one that takes longer is an error (not the SDK's default) and tried again, which every call here can bear. */
const requestHandler = new NodeHttpHandler({
  connectionTimeout: 2_000,
  requestTimeout: 10_000,
  throwOnRequestTimeout: true,
});

export const handler = makeHandler({
  stream: kinesisStream({
    client: new KinesisClient({ requestHandler, userAgentAppId }),
    streamName: fromEnvironment(RESHARDER_ENVIRONMENT.streamName),
  }),
  fleet: dynamoDbFleet({
    client: new DynamoDBClient({ requestHandler, userAgentAppId }),
    leaseTableName: fromEnvironment(RESHARDER_ENVIRONMENT.leaseTableName),
  }),
  clock: systemClock,
  random: systemRandom,
  log: (fields, message) => console.log(JSON.stringify({ message, ...fields })),
});
