/**
 * Wrong names and used ports, with processes on the real endpoint: one line says what is wrong, and the
 * process exits.
 */
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateStreamCommand, DeleteStreamCommand, KinesisClient } from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { inProject } from "../../lab/project.ts";
import { freePorts } from "../../local/index.ts";
import { run } from "./endpoint/run.ts";
import { endpointConfig } from "./endpoint-setup.ts";

const dynamoDb = new DynamoDBClient(endpointConfig());
const kinesis = new KinesisClient(endpointConfig());
const WRONG_TABLE = "bad-input-no-leases";
const STREAM = "bad-input-stream";

async function runProgram(program: string, args: string[], environment: Record<string, string>) {
  const { exitCode, err } = await run(process.execPath, [inProject(program), ...args], {
    PATH: process.env.PATH ?? "",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: "us-east-1",
    ...environment,
  });
  return { exitCode, err };
}

const onEndpoint = () => ({ AWS_ENDPOINT_URL: inject("endpointUrl") });
const consumer = (environment: Record<string, string>) =>
  runProgram(".evenkeel/build/consumer.mjs", [], {
    ...onEndpoint(),
    APPLICATION_NAME: "bad-input",
    ...environment,
  });

// Each test is a process of its own that mostly waits between tries, so they run at once.
describe.concurrent("wrong names", () => {
  beforeAll(async () => {
    await kinesis.send(new CreateStreamCommand({ StreamName: STREAM, ShardCount: 1 }));
    await dynamoDb.send(
      new CreateTableCommand({
        TableName: WRONG_TABLE,
        AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
        KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
        BillingMode: "PAY_PER_REQUEST",
      }),
    );
  });
  afterAll(async () => {
    await kinesis.send(new DeleteStreamCommand({ StreamName: STREAM }));
    await dynamoDb.send(new DeleteTableCommand({ TableName: WRONG_TABLE }));
  });

  it.each([
    ["no settings", {}, 2, "STREAM_NAME is not set"],
    [
      "a stream that is not there",
      { STREAM_NAME: "odrers", LEASE_TABLE_NAME: WRONG_TABLE },
      1,
      "stream odrers",
    ],
    ["a table that is not there", { STREAM_NAME: STREAM, LEASE_TABLE_NAME: "laeses" }, 1, "create the table"],
    [
      "a table of something else",
      { STREAM_NAME: STREAM, LEASE_TABLE_NAME: WRONG_TABLE },
      1,
      "no lease table",
    ],
  ])("a consumer with %s", async (_what, environment, exitCode, text) => {
    const ended = await consumer(environment);
    expect(ended).toEqual({ exitCode, err: expect.stringMatching(/^evenkeel consumer: [^\n]+\n$/) });
    expect(ended.err).toContain(text);
  });

  it("a producer with a stream that is not there", async () => {
    const ended = await runProgram(".evenkeel/build/producer.mjs", [], {
      ...onEndpoint(),
      STREAM_NAME: "odrers",
    });
    expect(ended).toEqual({
      exitCode: 1,
      err: expect.stringMatching(/^evenkeel producer: [^\n]*odrers[^\n]*\n$/),
    });
  });

  it.each(["verify-stream", "view-distribution", "export-lease-data", "split-shards"])(
    "%s of a stack that is not there",
    async (command) => {
      const ended = await runProgram(
        "lab/bin/evenkeel.mjs",
        [command, "--application", "nosuch"],
        onEndpoint(),
      );
      expect(ended).toEqual({
        exitCode: 1,
        err: expect.stringMatching(/^error: no stack Nosuch at .*npm run up.*\n$/),
      });
    },
  );
});

it("an experiment on a used port names port and remedy, and leaves nothing", async () => {
  const ports = await freePorts();
  const other = createServer().listen(ports.gateway, "127.0.0.1");
  await once(other, "listening");
  // The endpoint's own folder is in the temporary folder. With a temporary folder of its own, the test finds
  // what is left.
  const temporary = mkdtempSync(join(tmpdir(), "evenkeel-used-port-"));
  const ended = await runProgram("lab/bin/evenkeel.mjs", ["experiment", "--application", "usedport"], {
    TMPDIR: temporary,
    EVENKEEL_PORT: String(ports.gateway),
  });
  other.close();
  expect(ended.exitCode).toBe(2);
  expect(ended.err.trimEnd().split("\n").at(-1)).toMatch(
    new RegExp(`^error: Port ${ports.gateway} \\(the AWS endpoint\\) is already in use: .*EVENKEEL_PORT`),
  );
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
});
