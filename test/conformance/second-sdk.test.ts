/**
 * The user's own copy of the SDK: `clients.dynamodb` of another installation, whose error classes are not
 * evenkeel's.
 */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConditionalCheckFailedException, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateStreamCommand } from "@aws-sdk/client-kinesis";
import { afterAll, expect, it } from "vitest";
import { inProject } from "../../lab/project.ts";
import { endpointClientConfig } from "../../local/index.ts";
import { createWorker } from "../../src/index.ts";
import { describeOnDynalite } from "./dynalite-lease-store.ts";
import { startDynalite, startKinesalite } from "./local-servers.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-second-sdk-"));
cpSync(inProject("node_modules", "@aws-sdk", "client-dynamodb"), join(folder, "client-dynamodb"), {
  recursive: true,
});
symlinkSync(inProject("node_modules"), join(folder, "node_modules"));
const second: typeof import("@aws-sdk/client-dynamodb") = createRequire(import.meta.url)(
  join(folder, "client-dynamodb", "dist-cjs", "index.js"),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clientOf = (url: string): DynamoDBClient => new second.DynamoDBClient(endpointClientConfig({ url }));

it("is another copy indeed", () => {
  expect(second.ConditionalCheckFailedException).not.toBe(ConditionalCheckFailedException);
});

describeOnDynalite("DynamoDB adapter with a client of another copy of the SDK", ({ url }) => clientOf(url));

it("a worker with such a client starts, owns the shards, and stops", async () => {
  const [dynalite, kinesalite] = await Promise.all([startDynalite(), startKinesalite()]);
  await kinesalite.client.send(new CreateStreamCommand({ StreamName: "orders", ShardCount: 2 }));
  const worker = createWorker({
    applicationName: "orders",
    streamName: "orders",
    metricsLevel: "none",
    logger: false,
    clients: { dynamodb: clientOf(dynalite.url), kinesis: kinesalite.client },
    processRecords: () => undefined,
  });
  await worker.start();
  expect(worker.status().leases).toHaveLength(2);
  expect(await worker.stop()).toEqual([]);
  await Promise.all([dynalite.close(), kinesalite.close()]);
});
