/** SDK clients for one target, created at first use and closed together. */
import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { ECSClient } from "@aws-sdk/client-ecs";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { SFNClient } from "@aws-sdk/client-sfn";
import { STSClient } from "@aws-sdk/client-sts";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { endpointClientConfig } from "../../local/index.ts";
import { addressOf, type Target } from "./target.ts";

export interface Clients {
  readonly target: Target;
  readonly cloudFormation: CloudFormationClient;
  readonly cloudWatch: CloudWatchClient;
  readonly dynamoDb: DynamoDBClient;
  readonly ecs: ECSClient;
  readonly kinesis: KinesisClient;
  readonly stepFunctions: SFNClient;
  readonly sts: STSClient;
  close(): void;
}

export function clientsFor(target: Target): Clients {
  // One HTTP/1.1 handler for all clients. The Kinesis client's default is HTTP/2, whose session would keep
  // the process alive.
  const requestHandler = new NodeHttpHandler({ connectionTimeout: 3_000, requestTimeout: 20_000 });
  const address = addressOf(target);
  const config = {
    requestHandler,
    ...(address === undefined ? { region: target.region, maxAttempts: 3 } : endpointClientConfig(address)),
  };
  const made = new Map<string, unknown>();
  const once = <T>(name: string, make: () => T): T => {
    if (!made.has(name)) made.set(name, make());
    return made.get(name) as T;
  };
  return {
    target,
    get cloudFormation() {
      return once("cloudFormation", () => new CloudFormationClient(config));
    },
    get cloudWatch() {
      return once("cloudWatch", () => new CloudWatchClient(config));
    },
    get dynamoDb() {
      return once("dynamoDb", () => new DynamoDBClient(config));
    },
    get ecs() {
      return once("ecs", () => new ECSClient(config));
    },
    get kinesis() {
      return once("kinesis", () => new KinesisClient(config));
    },
    get stepFunctions() {
      return once("stepFunctions", () => new SFNClient(config));
    },
    get sts() {
      return once("sts", () => new STSClient(config));
    },
    close: () => requestHandler.destroy(),
  };
}
