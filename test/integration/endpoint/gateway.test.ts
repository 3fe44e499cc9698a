import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { KinesisClient, ListStreamsCommand } from "@aws-sdk/client-kinesis";
import { afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { endpointAdmin } from "../../../local/index.ts";
import { endpointConfig } from "../endpoint-setup.ts";

const TableName = "gateway-test";
const admin = endpointAdmin(inject("endpointUrl"));
const once = { ...endpointConfig(), maxAttempts: 1 };
const db = new DynamoDBClient({ ...once, userAgentAppId: "tester" });
const key = (id: string) => ({ TableName, Key: { id: { S: id } } });

beforeAll(async () => {
  await db.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    }),
  );
});
beforeEach(() => admin.resetCalls());
afterEach(() => admin.clearFaults());

describe("DynamoDB through the gateway", () => {
  test("of many conditional writes at once exactly one wins", async () => {
    const claim = (owner: number) =>
      db.send(
        new PutItemCommand({
          TableName,
          Item: { id: { S: "rivals" }, owner: { S: String(owner) } },
          ConditionExpression: "attribute_not_exists(id)",
        }),
      );
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, owner) => claim(owner)));
    const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason.name] : []));
    expect(failures).toEqual(Array(19).fill("ConditionalCheckFailedException"));
  });
});

describe("the call counter", () => {
  test("counts per caller and operation", async () => {
    await db.send(new GetItemCommand(key("absent")));
    await db.send(new GetItemCommand(key("absent")));
    await new KinesisClient(once).send(new ListStreamsCommand({}));
    const calls = await admin.calls();
    expect(calls).toContainEqual({ caller: "tester", operation: "DynamoDB.GetItem", count: 2 });
    expect(calls).toContainEqual({ caller: "other", operation: "Kinesis.ListStreams", count: 1 });
  });
});

describe("faults", () => {
  test("throttle: the service's own throttling error, for the chosen caller only, as often as asked", async () => {
    await admin.addFault({ operation: "DynamoDB.*", caller: "tester", fault: "throttle", times: 1 });
    const stranger = new DynamoDBClient(once);
    await stranger.send(new GetItemCommand(key("x")));
    await expect(db.send(new GetItemCommand(key("x")))).rejects.toMatchObject({
      name: "ProvisionedThroughputExceededException",
    });
    await db.send(new GetItemCommand(key("x")));
    expect(await admin.faults()).toEqual([]);
  });

  test("fail: an internal error, over HTTP/2 as well", async () => {
    await admin.addFault({ operation: "Kinesis.ListStreams", fault: "fail" });
    const failing = new KinesisClient(once).send(new ListStreamsCommand({}));
    await expect(failing).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } });
  });

  test("drop: the write happens and its answer is lost", async () => {
    await admin.addFault({ operation: "DynamoDB.UpdateItem", fault: "drop", times: 1 });
    const set = new UpdateItemCommand({
      ...key("dropped"),
      UpdateExpression: "SET #v = :v",
      ExpressionAttributeNames: { "#v": "value" },
      ExpressionAttributeValues: { ":v": { N: "1" } },
    });
    await expect(db.send(set)).rejects.toThrow();
    const { Item } = await db.send(new GetItemCommand({ ...key("dropped"), ConsistentRead: true }));
    expect(Item?.value).toEqual({ N: "1" });
  });

  test("blackhole: nothing happens and no answer comes", async () => {
    await admin.addFault({ operation: "DynamoDB.PutItem", fault: "blackhole", times: 1 });
    const put = new PutItemCommand({ TableName, Item: { id: { S: "lost" } } });
    await expect(db.send(put, { abortSignal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      name: "AbortError",
    });
    const { Item } = await db.send(new GetItemCommand({ ...key("lost"), ConsistentRead: true }));
    expect(Item).toBeUndefined();
  });

  test("a wrong fault is refused in words", async () => {
    const wrong = { operation: "GetItem", fault: "throttle" as const };
    await expect(admin.addFault(wrong)).rejects.toThrow(/operation: expected "<Service>.<Operation>"/);
  });
});

test("without its header the admin path is closed", async () => {
  const answer = await fetch(`${inject("endpointUrl")}/_evenkeel/calls`);
  expect(answer.status).toBe(403);
});
