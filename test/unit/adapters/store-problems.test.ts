/** Failures between the engine and DynamoDB, as errors of the port; with the client that the engine uses. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dynamoDbClient, dynamoDbTimeoutMillis } from "../../../src/adapters/aws-clients.ts";
import { dynamoDbLeaseStore } from "../../../src/adapters/dynamodb/lease-store.ts";
import { type Lease, sentinel, TRIM_HORIZON } from "../../../src/core/lease.ts";
import type { Member } from "../../../src/core/member.ts";
import {
  type LeaseStore,
  StoreUnavailableError,
  StoreUnusableError,
} from "../../../src/ports/lease-store.ts";
import { type Answer, type AnsweringServer, type Call, failure, startAnswering } from "./answering-server.ts";

const held: Lease = {
  leaseKey: "shardId-000000000001",
  owner: "me",
  counter: 5,
  checkpoint: sentinel(TRIM_HORIZON),
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: [],
  childShardIds: [],
  hashRange: undefined,
  checkpointOwner: undefined,
};

const me: Member = {
  workerId: "me",
  incarnation: "first",
  heartbeat: 1,
  state: "active",
  maxLeases: undefined,
  steals: true,
  failoverTimeMillis: 10_000,
};

describe("the lease store, when DynamoDB does not do as asked", () => {
  let server: AnsweringServer;
  let store: LeaseStore;
  let answer: (call: Call, before: number) => Answer;

  beforeEach(async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
    server = await startAnswering((call, before) => answer(call, before));
    // The shortest timeout there is: 800 ms.
    const client = dynamoDbClient({ region: "us-east-1", endpoint: server.url, failoverTimeMillis: 1_000 });
    store = dynamoDbLeaseStore({ client, tableName: "orders" });
    return async () => {
      client.destroy();
      await server.close();
    };
  });
  afterEach(() => vi.unstubAllEnvs());

  const errorFrom = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => "none",
      (error: unknown) => error,
    );

  it.each<[string, Answer]>([
    ["throttling", failure("ThrottlingException")],
    ["too little throughput", failure("ProvisionedThroughputExceededException")],
    ["an internal error", failure("InternalServerError", 500)],
    ["a 503 without words", { status: 503, body: {} }],
    ["a cut connection", { cut: true }],
    ["no answer", { hang: true }],
  ])("%s is StoreUnavailable, after a second try", async (_title, given) => {
    answer = () => given;
    const problem = await errorFrom(store.renew(held));
    expect(problem).toBeInstanceOf(StoreUnavailableError);
    expect(String(problem)).toContain("UpdateItem on lease table orders failed");
    expect(server.calls).toHaveLength(2);
  });

  it("an answer that begins and never ends is StoreUnavailable too", async () => {
    answer = () => ({ stall: true });
    expect(await errorFrom(store.readFleet(0))).toBeInstanceOf(StoreUnavailableError);
  });

  it.each([
    ["ResourceNotFoundException", "create the table"],
    ["AccessDeniedException", "allow DescribeTable"],
    ["UnrecognizedClientException", "check the credentials"],
    ["ValidationException", "partition key leaseKey"],
  ])("%s is StoreUnusable at once, with what to do", async (type, remedy) => {
    answer = () => failure(type);
    const calls = [
      () => store.renew(held),
      () => store.list({ consistent: true }),
      () => store.readFleet(0),
      () => store.remove(held),
    ];
    for (const call of calls) {
      const problem = await errorFrom(call());
      expect(problem).toBeInstanceOf(StoreUnusableError);
      expect(String(problem)).toContain(remedy);
    }
    expect(server.calls).toHaveLength(4);
  });

  it("a try that fails by itself is repeated, and the write told from a rival's by the old item", async () => {
    const lost = {
      status: 400,
      body: {
        __type: "ConditionalCheckFailedException",
        Item: {
          leaseKey: { S: held.leaseKey },
          leaseOwner: { S: "me" },
          leaseCounter: { N: "6" },
          checkpoint: { S: "TRIM_HORIZON" },
        },
      },
    };
    answer = (_call, before) => (before === 0 ? { cut: true } : lost);
    expect(await store.renew(held)).toMatchObject({ kind: "ok", lease: { owner: "me", counter: 6 } });
    expect(await store.handOver(held, "next", held.checkpoint)).toMatchObject({
      kind: "lost",
      current: { owner: "me", counter: 6 },
    });
  });

  it("an empty answer is not believed: neither that a table is empty nor that a write has happened", async () => {
    answer = () => ({ body: {} });
    const calls = [
      () => store.list({ consistent: true }),
      () => store.renew(held),
      () => store.claim(held, "other"),
      () => store.handOver(held, "other", held.checkpoint),
      () => store.sendHeartbeat(0, me, { bump: false }),
      () => store.join(0, me),
      () => store.ensureTable(true),
    ];
    for (const call of calls) {
      const problem = await errorFrom(call());
      expect(problem).toBeInstanceOf(StoreUnavailableError);
      expect((problem as StoreUnavailableError).errorClass).toBe("malformed-answer");
    }
  });

  it("asks for the old item with every conditional update, and reads no row back after a lease write", async () => {
    answer = () => ({ body: { Attributes: { leaseCounter: { N: "6" } } } });
    await store.renew(held);
    await store.claim(held, "other");
    await store.checkpoint(held, { sequenceNumber: "7", subSequenceNumber: 0 });
    expect(server.calls.map((call) => call.operation)).toEqual(["UpdateItem", "UpdateItem", "UpdateItem"]);
    for (const { body } of server.calls) {
      expect(body.ReturnValuesOnConditionCheckFailure).toBe("ALL_OLD");
      expect(body.ReturnValues).toBe("UPDATED_NEW");
    }
  });

  it("refuses to write as held a lease that nobody holds", async () => {
    answer = () => ({});
    await expect(store.renew({ ...held, owner: undefined })).rejects.toThrow("has no owner: claim it first");
  });
});

it("a failed call to the lease table leaves half of the failover time for another", () => {
  for (const failoverTimeMillis of [4_000, 10_000, 20_000, 60_000]) {
    expect(2 * dynamoDbTimeoutMillis(failoverTimeMillis)).toBeLessThan(failoverTimeMillis / 2);
  }
});
