/**
 * The Lambda entry point: `makeHandler` with real clients and a real clock. A wrong environment fails at cold
 * start.
 */
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

/** Part of the user agent: CloudTrail and the embedded endpoint's call counts show the caller. */
const userAgentAppId = "resharder";

/**
 * Calls have short timeouts. A timeout is an error (not the SDK's default) and is retried; every call here is
 * safe to repeat.
 */
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
