/**
 * What a consumer's container writes to its log, which CloudWatch bills by the gigabyte: nothing per record,
 * unless configured.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  KinesisClient,
  PutRecordsCommand,
  waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { inProject } from "../../lab/project.ts";
import { endpointVariables, isolatedEnvironment } from "../../local/index.ts";
import { dynamoDbLeaseStore } from "../../src/inspect.ts";
import { randomSuffix } from "../../src/platform.ts";
import { until } from "./endpoint/until.ts";
import { endpointConfig } from "./endpoint-setup.ts";

const RECORDS = 200;
const StreamName = `consumer-log-${randomSuffix()}`;
const kinesis = new KinesisClient(endpointConfig());
const dynamoDb = new DynamoDBClient(endpointConfig());
let lastSequenceNumber: string | undefined;

beforeAll(async () => {
  await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
  await waitUntilStreamExists({ client: kinesis, maxWaitTime: 30, minDelay: 1 }, { StreamName });
  const put = await kinesis.send(
    new PutRecordsCommand({
      StreamName,
      Records: Array.from({ length: RECORDS }, (_, i) => ({
        PartitionKey: "key",
        Data: Buffer.from(JSON.stringify({ key: "key", n: i + 1 })),
      })),
    }),
  );
  lastSequenceNumber = put.Records?.at(-1)?.SequenceNumber;
});
afterAll(async () => {
  await kinesis.send(new DeleteStreamCommand({ StreamName }));
  kinesis.destroy();
  dynamoDb.destroy();
});

/** Runs a consumer from the first record to the last, and returns its log. */
async function logOf(name: string, environment: Record<string, string>): Promise<Record<string, unknown>[]> {
  const table = `${StreamName}-${name}`;
  await dynamoDbLeaseStore({ client: dynamoDb, tableName: table }).ensureTable(true);
  const child = spawn(process.execPath, [inProject(".evenkeel/build/consumer.mjs")], {
    env: {
      ...isolatedEnvironment(process.env),
      ...endpointVariables({ url: inject("endpointUrl") }),
      ...{ APPLICATION_NAME: table, STREAM_NAME: StreamName, LEASE_TABLE_NAME: table },
      CHECKPOINT_INTERVAL_MILLIS: "0",
      ...environment,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk;
  });
  const ended = once(child, "close");
  await until("all records are processed", async () => {
    const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName: table }));
    return Items.some(({ checkpoint }) => checkpoint?.S === lastSequenceNumber);
  });
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

it("has no line per record or batch by default", async () => {
  const lines = await logOf("default", {});
  expect(lines.filter((line) => "history" in line)).toEqual([]);
  expect(lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(["starting", "stopped"]));
  expect(lines.length).toBeLessThan(20);
});

it("has the whole history where that is asked for", async () => {
  const lines = await logOf("history", { HISTORY: "log" });
  const records = lines.filter(({ history }) => (history as { type?: string })?.type === "record");
  expect(records.map(({ history }) => (history as { n: number }).n)).toEqual(
    Array.from({ length: RECORDS }, (_, i) => i + 1),
  );
});
