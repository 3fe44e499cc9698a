import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  KinesisClient,
  PutRecordsCommand,
  waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dynamoDbFleet } from "../../services/resharder/adapters/dynamodb-fleet.ts";
import { kinesisStream } from "../../services/resharder/adapters/kinesis-stream.ts";
import { makeHandler, type PlanResult, type ReshardResult } from "../../services/resharder/make-handler.ts";
import { planReshard } from "../../services/resharder/plan-reshard.ts";
import { fleetRowKey, OWN_ENTITY_TYPE } from "../../src/adapters/dynamodb/own-rows.ts";
import { holes } from "../../src/core/hash-range.ts";
import { randomSuffix, systemClock, systemRandom } from "../../src/platform.ts";
import { endpointConfig } from "./endpoint-setup.ts";

const streamName = `reshard-${randomSuffix()}`;
const leaseTableName = `reshard-leases-${randomSuffix()}`;
let kinesis: KinesisClient;
let dynamodb: DynamoDBClient;

beforeAll(async () => {
  kinesis = new KinesisClient(endpointConfig());
  dynamodb = new DynamoDBClient(endpointConfig());
  await kinesis.send(new CreateStreamCommand({ StreamName: streamName, ShardCount: 4 }));
  await dynamodb.send(
    new CreateTableCommand({
      TableName: leaseTableName,
      KeySchema: [{ AttributeName: "leaseKey", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "leaseKey", AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  await waitUntilStreamExists({ client: kinesis, maxWaitTime: 30, minDelay: 1 }, { StreamName: streamName });
  await waitUntilTableExists(
    { client: dynamodb, maxWaitTime: 30, minDelay: 1 },
    { TableName: leaseTableName },
  );
});

afterAll(async () => {
  await kinesis.send(new DeleteStreamCommand({ StreamName: streamName }));
  kinesis.destroy();
  dynamodb.destroy();
});

const stream = () => kinesisStream({ client: kinesis, streamName });
const fleet = () => dynamoDbFleet({ client: dynamodb, leaseTableName });
const invoke = <T>(event: Parameters<ReturnType<typeof makeHandler>>[0]) =>
  makeHandler({
    stream: stream(),
    fleet: fleet(),
    clock: systemClock,
    random: systemRandom,
    log: () => undefined,
  })(event, {
    getRemainingTimeInMillis: () => 60_000,
  }) as Promise<T>;

describe("the resharder on a real stream", () => {
  test("splits up, does nothing a second time, and merges the siblings back to the ranges it started from", async () => {
    const before = await stream().openShards();
    expect(await invoke<ReshardResult>({ targetShards: 6 })).toMatchObject({
      done: true,
      splits: 2,
      openShards: 6,
    });
    const six = await stream().openShards();
    expect(holes(six.map(({ hashRange }) => hashRange))).toEqual([]);
    const parents = new Set(before.map(({ shardId }) => shardId));
    expect(six.filter(({ splitFrom }) => splitFrom !== undefined && parents.has(splitFrom))).toHaveLength(4);
    expect(await invoke<ReshardResult>({ targetShards: 6 })).toMatchObject({
      done: true,
      splits: 0,
      merges: 0,
    });
    const plan = await invoke<PlanResult>({ action: "plan", input: { targetShards: 4 } });
    expect(plan.steps.map(({ reason }) => reason)).toEqual(
      Array(2).fill("narrowest siblings: together 25.00 % of the key space"),
    );
    expect(await invoke<ReshardResult>({ targetShards: 4 })).toMatchObject({
      done: true,
      merges: 2,
      openShards: 4,
    });
    const ranges = (shards: readonly { hashRange: { start: bigint } }[]) =>
      shards.map(({ hashRange }) => hashRange).toSorted((a, b) => (a.start < b.start ? -1 : 1));
    expect(ranges(await stream().openShards())).toEqual(ranges(before));
  });

  test("doubles and halves in one call, to the ranges of single steps", async () => {
    const before = await stream().openShards();
    const planned = planReshard(before, 8).map((step) =>
      step.kind === "split" ? step.newStartingHashKey : expect.fail("a merge"),
    );
    expect(await invoke<ReshardResult>({ targetShards: 8 })).toMatchObject({
      ...{ done: true, updates: 1, splits: 0, openShards: 8 },
    });
    const starts = (await stream().openShards()).map(({ hashRange }) => hashRange.start);
    expect(starts).toEqual(expect.arrayContaining(planned));
    expect(await stream().openShardCount()).toBe(8);
    expect(await invoke<ReshardResult>({ targetShards: 4 })).toMatchObject({ done: true, updates: 1 });
    const ranges = (shards: readonly { hashRange: { start: bigint } }[]) =>
      shards.map(({ hashRange }) => hashRange).toSorted((a, b) => (a.start < b.start ? -1 : 1));
    expect(ranges(await stream().openShards())).toEqual(ranges(before));
  });

  test("records keep going in meanwhile", async () => {
    const put = () =>
      kinesis.send(
        new PutRecordsCommand({
          StreamName: streamName,
          Records: Array.from({ length: 20 }, (_, i) => ({ PartitionKey: `k${i}`, Data: Buffer.from("x") })),
        }),
      );
    const resharding = invoke<ReshardResult>({ targetShards: 5, force: true });
    const failed = (await Promise.all([put(), put(), put()])).map(
      ({ FailedRecordCount }) => FailedRecordCount,
    );
    expect((await resharding).done).toBe(true);
    expect(failed).toEqual([0, 0, 0]);
  });

  test("a closed shard is refused as stale, which a new look answers to", async () => {
    const [shard] = await stream().openShards();
    const middle = (shard!.hashRange.start + shard!.hashRange.end) / 2n;
    await stream().split(shard!.shardId, middle);
    while ((await stream().status()) !== "active") await systemClock.sleep(20);
    await expect(stream().split(shard!.shardId, middle)).rejects.toMatchObject({
      name: "StreamRefusal",
      problem: expect.stringMatching(/stale|busy/),
    });
  });
});

describe("the fleet's rows", () => {
  test("no fleet is invented where nobody has joined; where one has, its bell goes up by one", async () => {
    expect(await fleet().wake()).toBe("no-fleet");
    const key = { leaseKey: { S: fleetRowKey(0) } };
    const row = async () =>
      (await dynamodb.send(new GetItemCommand({ TableName: leaseTableName, Key: key, ConsistentRead: true })))
        .Item;
    expect(await row()).toBeUndefined();
    await dynamodb.send(
      new PutItemCommand({
        TableName: leaseTableName,
        Item: { ...key, entityType: { S: OWN_ENTITY_TYPE }, generation: { N: "7" } },
      }),
    );
    expect(await fleet().wake()).toBe("woken");
    expect(await fleet().wake()).toBe("woken");
    expect(await row()).toMatchObject({ generation: { N: "9" }, shardSyncRequests: { N: "2" } });
  });

  test("owners are read from lease rows only, with and without KCL 3's entity type", async () => {
    const put = (leaseKey: string, rest: Record<string, { S: string }>) =>
      dynamodb.send(
        new PutItemCommand({ TableName: leaseTableName, Item: { leaseKey: { S: leaseKey }, ...rest } }),
      );
    await put("shardId-1", { leaseOwner: { S: "a" } });
    await put("shardId-2", { entityType: { S: "LEASE" } });
    await put("leader", { entityType: { S: "LEADER" }, leaseOwner: { S: "a" } });
    const leases = (await fleet().leaseOwners()).toSorted((a, b) => (a.leaseKey < b.leaseKey ? -1 : 1));
    expect(leases).toEqual([
      { leaseKey: "shardId-1", owner: "a" },
      { leaseKey: "shardId-2", owner: undefined },
    ]);
  });
});
