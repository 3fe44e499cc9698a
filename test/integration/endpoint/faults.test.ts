/** Each kind of fault, as the engine's SDK clients receive it. */
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { KinesisClient, ListStreamsCommand } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { endpointAdmin, type FaultKind, type FaultRule } from "../../../local/index.ts";
import { endpointConfig } from "../endpoint-setup.ts";

const TableName = "faults-test";
const admin = endpointAdmin(inject("endpointUrl"));
const config = { ...endpointConfig(), maxAttempts: 1 };
const db = new DynamoDBClient({ ...config, userAgentAppId: "faults-db" });
const untouched = new DynamoDBClient({ ...config, userAgentAppId: "onlooker" });
const http1 = new KinesisClient({ ...config, requestHandler: new NodeHttpHandler() });
const http2 = new KinesisClient(config);
const cloudwatch = new CloudWatchClient(config);

const put = (id: string) => db.send(new PutItemCommand({ TableName, Item: { id: { S: id } } }));
const isThere = async (id: string) => {
  const get = new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead: true });
  return (await untouched.send(get)).Item !== undefined;
};
const listStreams = (client: KinesisClient) => client.send(new ListStreamsCommand({}));
const putMetric = () =>
  cloudwatch.send(
    new PutMetricDataCommand({ Namespace: "faults-test", MetricData: [{ MetricName: "m", Value: 1 }] }),
  );

const hitOnce = (operation: string, fault: FaultKind, more: Partial<FaultRule> = {}) =>
  admin.addFault({ operation, fault, times: 1, ...more });

beforeAll(async () => {
  await untouched.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    }),
  );
});
afterEach(() => admin.clearFaults());

describe("nothing happens", () => {
  test.each<[FaultKind, Partial<FaultRule>, object]>([
    ["throttle", {}, { name: "ProvisionedThroughputExceededException" }],
    ["fail", {}, { name: "InternalFailure", $metadata: { httpStatusCode: 500 } }],
    ["error", { error: "AccessDeniedException" }, { name: "AccessDeniedException" }],
    ["error", { error: "ExpiredTokenException" }, { name: "ExpiredTokenException" }],
    ["conflict", {}, { name: "TransactionConflictException" }],
  ])("%s %j", async (fault, more, error) => {
    const id = `not-${fault}`;
    await hitOnce("DynamoDB.PutItem", fault, more);
    await expect(put(id)).rejects.toMatchObject(error);
    expect(await isThere(id)).toBe(false);
    await hitOnce("Kinesis.ListStreams", fault, more);
    const { name } = error as { name: string };
    const expected = fault === "conflict" ? "ResourceInUseException" : name;
    await expect(listStreams(http1)).rejects.toMatchObject({ name: expected });
    await hitOnce("Kinesis.ListStreams", fault, more);
    await expect(listStreams(http2)).rejects.toMatchObject({ name: expected });
  });

  test("empty: a success without a member, in every protocol", async () => {
    await hitOnce("DynamoDB.PutItem", "empty");
    await expect(put("not-empty")).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
    expect(await isThere("not-empty")).toBe(false);
    for (const client of [http1, http2]) {
      await hitOnce("Kinesis.ListStreams", "empty");
      expect((await listStreams(client)).StreamNames).toBeUndefined();
    }
    await hitOnce("CloudWatch.PutMetricData", "empty");
    await expect(putMetric()).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
  });

  test("blackhole: no answer comes", async () => {
    await hitOnce("CloudWatch.PutMetricData", "blackhole", { resource: "faults-test" });
    const timeout = AbortSignal.timeout(300);
    const unanswered = cloudwatch.send(
      new PutMetricDataCommand({ Namespace: "faults-test", MetricData: [{ MetricName: "m", Value: 1 }] }),
      { abortSignal: timeout },
    );
    await expect(unanswered).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("the call happens", () => {
  test.each<[FaultKind, object]>([
    ["drop", {}],
    ["cut", {}],
    ["fail-after", { name: "InternalFailure" }],
  ])("%s", async (fault, error) => {
    const id = `did-${fault}`;
    await hitOnce("DynamoDB.PutItem", fault);
    await expect(put(id)).rejects.toMatchObject(error);
    expect(await isThere(id)).toBe(true);
    for (const client of [http1, http2]) {
      await hitOnce("Kinesis.ListStreams", fault);
      await expect(listStreams(client)).rejects.toMatchObject(error);
    }
  });

  test("delay: late", async () => {
    await hitOnce("DynamoDB.PutItem", "delay", { delayMillis: 60_000 });
    const impatient = db.send(new PutItemCommand({ TableName, Item: { id: { S: "late" } } }), {
      abortSignal: AbortSignal.timeout(200),
    });
    await expect(impatient).rejects.toMatchObject({ name: "AbortError" });
    await hitOnce("DynamoDB.PutItem", "delay", { delayMillis: 20 });
    await put("a little late");
    expect(await isThere("a little late")).toBe(true);
    expect(await isThere("late")).toBe(false);
  });
});

test("a fault on one table leaves the others alone, and a fault on some callers the rest", async () => {
  await admin.addFault({ operation: "DynamoDB.*", fault: "fail", resource: "another-table" });
  await put("in its own table");
  await admin.addFault({ operation: "DynamoDB.*", fault: "fail", resource: TableName, caller: "faults-*" });
  await expect(put("refused")).rejects.toMatchObject({ name: "InternalFailure" });
  expect(await isThere("in its own table")).toBe(true);
});
