/**
 * What only a real table shows: rows of Java fleets and of other programs among evenkeel's, unknown
 * attributes, more rows than one page of a scan, and how the table is created. For the DynamoDB adapter, on
 * any endpoint.
 */
import {
  type AttributeValue,
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeLease } from "../../src/adapters/dynamodb/lease-row.ts";
import { dynamoDbLeaseStore } from "../../src/adapters/dynamodb/lease-store.ts";
import { FLEET_ATTRIBUTES, fleetRowKey } from "../../src/adapters/dynamodb/own-rows.ts";
import type { Lease } from "../../src/core/lease.ts";
import { type LeaseStore, StoreUnusableError } from "../../src/ports/lease-store.ts";
import * as java from "../unit/adapters/java-rows.ts";

export interface LeaseTableEndpoint {
  readonly client: DynamoDBClient;
  close(): Promise<void>;
}

/** Two rows of it are more than half of a scan's 1 MB page. */
const BULK = "x".repeat(300_000);
const BULK_ROWS = 9;

export function describeLeaseTable(name: string, open: () => Promise<LeaseTableEndpoint>): void {
  describe(`lease table: ${name}`, () => {
    let endpoint: LeaseTableEndpoint;
    let client: DynamoDBClient;
    let tableName: string;
    let store: LeaseStore;
    let tables = 0;
    beforeAll(async () => {
      endpoint = await open();
      client = endpoint.client;
    });
    afterAll(() => endpoint.close());
    beforeEach(() => {
      tableName = `table-suite-${++tables}`;
      store = dynamoDbLeaseStore({ client, tableName });
      return async () => {
        // A table that is still being created cannot be deleted. Usually it exists, and the first check
        // succeeds without a wait.
        const waiting = { client, maxWaitTime: 10, minDelay: 1, maxDelay: 1 };
        await waitUntilTableExists(waiting, { TableName: tableName });
        await client.send(new DeleteTableCommand({ TableName: tableName }));
      };
    });

    const put = (Item: java.Row) => client.send(new PutItemCommand({ TableName: tableName, Item }));
    const get = async (leaseKey: string): Promise<Record<string, AttributeValue> | undefined> => {
      const Key = { leaseKey: { S: leaseKey } };
      return (await client.send(new GetItemCommand({ TableName: tableName, Key, ConsistentRead: true })))
        .Item;
    };
    const lease = async (leaseKey: string): Promise<Lease> =>
      (await store.list({ consistent: true })).leases.find((one) => one.leaseKey === leaseKey)!;

    describe("coming to be", () => {
      it("is made once when several workers start at once, on demand, with KCL's key", async () => {
        const workers = Array.from({ length: 5 }, () => dynamoDbLeaseStore({ client, tableName }));
        await Promise.all(workers.map((worker) => worker.ensureTable(true)));
        await workers[0]!.ensureTable(false);
        const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
        expect(Table?.KeySchema).toEqual([{ AttributeName: "leaseKey", KeyType: "HASH" }]);
        expect(Table?.BillingModeSummary?.BillingMode).toBe("PAY_PER_REQUEST");
        expect(await store.list({ consistent: true })).toEqual({
          leases: [],
          corrupt: [],
          fleetRows: [],
          hasApplication: false,
        });
      });

      it("is refused with another key, saying which and what to do", async () => {
        await client.send(
          new CreateTableCommand({
            TableName: tableName,
            KeySchema: [{ AttributeName: "ShardID", KeyType: "HASH" }],
            AttributeDefinitions: [{ AttributeName: "ShardID", AttributeType: "S" }],
            BillingMode: "PAY_PER_REQUEST",
          }),
        );
        const problem = await store.ensureTable(true).catch((error: unknown) => error);
        expect(problem).toBeInstanceOf(StoreUnusableError);
        expect(String(problem)).toContain("ShardID (S, HASH), expected leaseKey (S, HASH)");
        expect(String(problem)).toContain("set leaseTableName");
      });

      it("is not made unasked", async () => {
        const problem = await store.ensureTable(false).catch((error: unknown) => error);
        expect(problem).toBeInstanceOf(StoreUnusableError);
        expect(String(problem)).toContain("createLeaseTable: true");
        await store.ensureTable(true);
      });
    });

    describe("with rows of others", () => {
      beforeEach(() => store.ensureTable(true));

      it("lists a Java fleet's leases and leaves its other rows alone", async () => {
        const rows = [...java.javaLeases, ...java.java35Foreign, java.java3MultiStream];
        for (const row of rows) await put(row);
        await put({ leaseKey: { S: "shardId-000000000009" }, leaseCounter: { N: "1" } });
        const listing = await store.list({ consistent: true });
        expect(listing.leases.map((one) => one.leaseKey).toSorted()).toEqual(
          java.javaLeases.map((row) => row.leaseKey?.S).toSorted(),
        );
        expect(listing.corrupt.map((one) => one.leaseKey).toSorted()).toEqual([
          java.java3MultiStream.leaseKey?.S,
          "shardId-000000000009",
        ]);
        expect(listing.fleetRows).toEqual([]);
      });

      it("does not touch a row that is no lease, whatever is tried on it", async () => {
        const leader = java.java35Foreign[0]!;
        await put(leader);
        const guess: Lease = { ...decodeLease(java.java2MergeChild), leaseKey: "Leader" };
        expect(await store.create(guess)).toBe("exists");
        expect(await store.claim(guess, "me")).toEqual({ kind: "lost", current: undefined });
        expect(await store.remove(guess)).toBe("changed");
        expect(await get("Leader")).toEqual(leader);
      });

      it("keeps every attribute it does not know through all its writes", async () => {
        await put({ ...java.java35Prepared, aLaterKcl: { M: { x: { N: "1" } } } });
        const key = java.java35Prepared.leaseKey!.S!;
        let held = okOf(await store.claim(await lease(key), "me"));
        held = okOf(await store.renew(held));
        held = okOf(await store.handOver(held, "next", held.checkpoint));
        held = okOf(await store.claim(held, "me"));
        expect(await get(key)).toEqual({
          ...java.java35Prepared,
          aLaterKcl: { M: { x: { N: "1" } } },
          leaseOwner: { S: "me" },
          leaseCounter: { N: "4715" },
          ownerSwitchesSinceCheckpoint: { N: "5" },
        });
      });

      it("voids a prepared checkpoint with a real one, and only then", async () => {
        await put(java.java35Prepared);
        const key = java.java35Prepared.leaseKey!.S!;
        const held = okOf(await store.claim(await lease(key), "me"));
        await store.checkpoint(held, {
          sequenceNumber: "59590338271490256608559692538361571095921575989136588899",
          subSequenceNumber: 0,
        });
        const row = await get(key);
        expect(Object.keys(row ?? {}).filter((attribute) => attribute.startsWith("pending"))).toEqual([]);
        expect(row?.throughputKBps).toEqual({ N: "3.5" });
      });

      it("lets the old owner of a Java hand-over go on, and ends it with its own", async () => {
        await put(java.java3HandOver);
        const key = java.java3HandOver.leaseKey!.S!;
        const seen = await lease(key);
        const renewed = okOf(await store.renew(seen));
        expect((await get(key))?.checkpointOwner).toEqual({ S: "worker-a" });
        await store.handOver(renewed, "worker-b", renewed.checkpoint);
        const row = await get(key);
        expect(row?.leaseOwner).toEqual({ S: "worker-b" });
        expect(row?.checkpointOwner).toBeUndefined();
      });

      it("loses to a Java leader that began a hand-over without moving the counter", async () => {
        await put({ ...java.java2Running, leaseOwner: { S: "me" } });
        const key = java.java2Running.leaseKey!.S!;
        const held = await lease(key);
        await client.send(
          new UpdateItemCommand({
            TableName: tableName,
            Key: { leaseKey: { S: key } },
            UpdateExpression: "SET leaseOwner = :next, checkpointOwner = :me",
            ExpressionAttributeValues: { ":next": { S: "java" }, ":me": { S: "me" } },
          }),
        );
        expect((await store.renew(held)).kind).toBe("lost");
        expect((await store.renew(await lease(key))).kind).toBe("ok");
      });

      it("makes a page of a row that a wake-up left before the first worker came", async () => {
        await client.send(
          new UpdateItemCommand({
            TableName: tableName,
            Key: { leaseKey: { S: fleetRowKey(0) } },
            UpdateExpression: `ADD ${FLEET_ATTRIBUTES.shardSyncRequests} :one, ${FLEET_ATTRIBUTES.version} :one`,
            ExpressionAttributeValues: { ":one": { N: "1" } },
          }),
        );
        const joined = await store.join(0, {
          workerId: "a",
          incarnation: "i",
          heartbeat: 0,
          state: "joining",
          maxLeases: undefined,
          steals: true,
          failoverTimeMillis: 10_000,
        });
        expect(joined).toMatchObject({ kind: "ok", fleetRow: { version: 2, shardSyncRequests: 1 } });
        expect((await get(fleetRowKey(0)))?.entityType).toEqual({ S: "LEADER" });
      });

      it.each([
        ["members", { members: { S: "nonsense" } }],
        ["generation", { generation: { S: "7" } }],
        ["shard sync requests", { shardSyncRequests: { N: "-1" } }],
      ] as const)(
        "deletes a page whose %s cannot be read, and its member writes it anew",
        async (_, garbled) => {
          const member = {
            workerId: "a",
            incarnation: "i",
            heartbeat: 0,
            state: "active",
            maxLeases: undefined,
            steals: true,
            failoverTimeMillis: 10_000,
          } as const;
          await store.join(0, member);
          await put({ ...(await get(fleetRowKey(0))), ...garbled });
          const sendHeartbeat = () => store.sendHeartbeat(0, { ...member, heartbeat: 1 }, { bump: false });
          await expect(sendHeartbeat()).rejects.toThrow(/cannot be read: .*write it anew/);
          expect(await get(fleetRowKey(0))).toBeUndefined();
          expect(await sendHeartbeat()).toEqual({ kind: "fencedOut", entry: undefined });
          expect(await store.join(0, member)).toMatchObject({ kind: "ok", fleetRow: { members: [member] } });
          expect(await store.readFleet(0, { consistent: true })).toMatchObject({ members: [member] });
        },
      );

      it("reads every page of a long scan", async () => {
        for (let n = 0; n < BULK_ROWS; n++) {
          await put({ ...java.java2Running, leaseKey: { S: `shardId-00000000010${n}` }, bulk: { S: BULK } });
        }
        expect((await store.list({ consistent: false })).leases).toHaveLength(BULK_ROWS);
      });
    });
  });
}

function okOf(outcome: Awaited<ReturnType<LeaseStore["renew"]>>): Lease {
  if (outcome.kind !== "ok") throw new Error(`expected the write to succeed, got ${JSON.stringify(outcome)}`);
  return outcome.lease;
}
