/** What the adapters return for AWS's answers, good and odd, through the real SDK. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dynamoDbFleet } from "../../../services/resharder/adapters/dynamodb-fleet.ts";
import { kinesisStream } from "../../../services/resharder/adapters/kinesis-stream.ts";

interface Answer {
  readonly status: number;
  readonly body: object;
}

let server: Server;
let answer: Answer | "cut" | "mute";
const targets: string[] = [];
let kinesis: KinesisClient;
let dynamodb: DynamoDBClient;

beforeAll(async () => {
  server = createServer((request, response) => {
    targets.push(String(request.headers["x-amz-target"]).split(".").at(-1)!);
    if (answer === "cut") return void request.socket.destroy();
    if (answer === "mute") return;
    response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const config = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ requestTimeout: 300, throwOnRequestTimeout: true }),
  };
  kinesis = new KinesisClient(config);
  dynamodb = new DynamoDBClient(config);
});
afterAll(() => {
  kinesis.destroy();
  dynamodb.destroy();
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  targets.length = 0;
});

const refused = (name: string, status = 400): Answer => ({ status, body: { __type: name, message: "no" } });
const stream = () => kinesisStream({ client: kinesis, streamName: "s" });
const fleet = () => dynamoDbFleet({ client: dynamodb, leaseTableName: "t" });

describe("what may pass is a refusal, what may not is not", () => {
  const passing: [string, Answer | "cut" | "mute", string][] = [
    ["throttled", refused("LimitExceededException"), "throttled"],
    ["throttled by the account", refused("ThrottlingException"), "throttled"],
    ["in use", refused("ResourceInUseException"), "busy"],
    ["a refused argument", refused("InvalidArgumentException"), "stale"],
    ["a token that has aged", refused("ExpiredNextTokenException"), "stale"],
    ["an internal failure", refused("InternalFailure", 500), "unavailable"],
    ["a bare 503", { status: 503, body: {} }, "unavailable"],
    ["a cut connection", "cut", "unavailable"],
    ["no answer", "mute", "unavailable"],
    ["an empty 200", { status: 200, body: {} }, "unavailable"],
  ];
  test.each(passing)("reads of the stream: %s", async (_, given, problem) => {
    answer = given;
    for (const read of [stream().status(), stream().openShards(), stream().openShardCount()])
      await expect(read).rejects.toMatchObject({ name: "StreamRefusal", problem });
  });

  test.each([
    ["throttled", refused("ProvisionedThroughputExceededException"), "throttled"],
    ["a bare 503", { status: 503, body: {} }, "unavailable"],
    ["an empty 200", { status: 200, body: {} }, "unavailable"],
  ] as const)("reads of the lease table: %s", async (_, given, problem) => {
    answer = given;
    await expect(fleet().leaseOwners()).rejects.toMatchObject({ name: "TableRefusal", problem });
  });

  test.each(["AccessDeniedException", "ResourceNotFoundException"])("%s passes through", async (name) => {
    answer = refused(name);
    await expect(stream().openShards()).rejects.toMatchObject({ name });
    await expect(fleet().leaseOwners()).rejects.toMatchObject({ name });
    await expect(stream().updateShardCount(8)).rejects.toMatchObject({ name });
  });
});

test("every change of the stream is one call of its own", async () => {
  answer = { status: 200, body: {} };
  await stream().split("shard-0", 5n);
  await stream().merge("shard-0", "shard-1");
  await stream().updateShardCount(8);
  expect(targets).toEqual(["SplitShard", "MergeShards", "UpdateShardCount"]);
});
