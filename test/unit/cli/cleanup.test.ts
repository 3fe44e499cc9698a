import { PutItemCommand, ScanCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cleanupText } from "../../../lab/cli/commands/cleanup.ts";
import { cleanUpFleet } from "../../../lab/fleet/cleanup.ts";
import { dynamoDbFleetRows, type FleetRows } from "../../../lab/fleet/fleet-rows.ts";
import { dynamoDbLeaseStore, type Lease, type Member } from "../../../src/inspect.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { startDynalite } from "../../conformance/local-servers.ts";

type Dynalite = Awaited<ReturnType<typeof startDynalite>>;

const FAILOVER_MILLIS = 10_000;
const member = (workerId: string, heartbeat: number): Member => ({
  workerId,
  incarnation: `${workerId}-first`,
  heartbeat,
  state: "active",
  maxLeases: 7,
  steals: true,
  failoverTimeMillis: 10_000,
});
const lease: Lease = {
  leaseKey: "shardId-000000000000",
  owner: "gone",
  counter: 0,
  checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: [],
  childShardIds: [],
  hashRange: undefined,
  checkpointOwner: undefined,
};

/** Time passes only by sleeping. `onSleep` runs during each sleep. */
function sleepingClock(onSleep: (nowMillis: number) => Promise<unknown> = async () => undefined): Clock {
  let now = 0;
  return {
    wallMillis: () => now,
    monotonicMillis: () => now,
    async sleep(millis) {
      now += millis;
      await onSleep(now);
    },
  };
}

let server: Dynalite;
beforeAll(async () => {
  server = await startDynalite();
});
afterAll(() => server.close());

describe("cleanup of what a crashed fleet left", () => {
  let tables = 0;
  let tableName = "";
  let rows: FleetRows;
  let store: ReturnType<typeof dynamoDbLeaseStore>;

  beforeEach(async () => {
    tableName = `crashed-${++tables}`;
    rows = dynamoDbFleetRows(server.client, tableName);
    store = dynamoDbLeaseStore({ client: server.client, tableName });
    await store.ensureTable(true);
    await store.create(lease);
    for (let n = 0; n < 13; n++) await store.join(n < 12 ? 0 : 1, member(`worker-${n}`, 5));
  });

  const leaseKeys = async () =>
    (await server.client.send(new ScanCommand({ TableName: tableName }))).Items?.map(
      (item) => item.leaseKey?.S,
    ).toSorted();
  const cleanUp = async (clock: Clock, signal = new AbortController().signal) =>
    cleanUpFleet({ rows, clock, signal, failoverTimeMillis: FAILOVER_MILLIS }, await rows.list());

  it("removes every page and leaves the leases as they are", async () => {
    const removed = await cleanUp(sleepingClock());
    expect(removed.map((row) => row.workers.length).toSorted((a, b) => a - b)).toEqual([1, 12]);
    expect(await leaseKeys()).toEqual([lease.leaseKey]);
    expect(await store.list({ consistent: true })).toEqual({
      leases: [lease],
      corrupt: [],
      fleetRows: [],
      hasApplication: false,
    });
  });

  it("watches for the whole failover time", async () => {
    const clock = sleepingClock();
    await cleanUp(clock);
    expect(clock.monotonicMillis()).toBe(FAILOVER_MILLIS);
  });

  it.each([
    [
      "a heartbeat moves",
      (now: number) => store.sendHeartbeat(1, member("worker-12", now), { bump: false }),
      "worker-12",
    ],
    ["a worker starts", () => store.join(1, member("newcomer", 0)), "newcomer"],
    ["a worker leaves", () => store.leave(0, member("worker-3", 5)), "worker-3"],
  ])("refuses, and removes nothing, when %s at the very end", async (_when, sign, worker) => {
    const clock = sleepingClock(async (now) => now === FAILOVER_MILLIS && (await sign(now)));
    await expect(cleanUp(clock)).rejects.toMatchObject({
      name: "CommandError",
      exitCode: 1,
      message: expect.stringMatching(new RegExp(`^worker ${worker} is alive .*stop the fleet first`)),
    });
    expect(await leaseKeys()).toEqual(["evenkeel-fleet-0", "evenkeel-fleet-1", lease.leaseKey]);
  });

  it("a beat between the last look and the delete keeps the row", async () => {
    const [fleetRow] = (await rows.list()).filter((row) => row.leaseKey === "evenkeel-fleet-1");
    await store.sendHeartbeat(1, member("worker-12", 6), { bump: false });
    expect(await rows.remove(fleetRow!)).toBe("changed");
  });

  it("the generation alone is no sign of life: the resharder moves it too", async () => {
    const bump = () => store.bumpFleetVersion();
    await cleanUp(sleepingClock(bump));
    expect(await leaseKeys()).toEqual([lease.leaseKey]);
  });

  it("removes rows that no worker could read", async () => {
    for (const [fleetRow, members] of [
      [2, undefined],
      [3, { S: "torn" }],
    ] as const)
      await server.client.send(
        new PutItemCommand({
          TableName: tableName,
          Item: { leaseKey: { S: `evenkeel-fleet-${fleetRow}` }, ...(members && { members }) },
        }),
      );
    await server.client.send(
      new UpdateItemCommand({
        TableName: tableName,
        Key: { leaseKey: { S: "evenkeel-fleet-0" } },
        UpdateExpression: "SET #members.#id.#heartbeat = :torn",
        ExpressionAttributeNames: { "#members": "members", "#id": "worker-0", "#heartbeat": "h" },
        ExpressionAttributeValues: { ":torn": { S: "not a number" } },
      }),
    );
    await cleanUp(sleepingClock());
    expect(await leaseKeys()).toEqual([lease.leaseKey]);
  });

  it("Ctrl-C removes nothing", async () => {
    const stopping = new AbortController();
    const clock = sleepingClock(async () => stopping.abort());
    await expect(cleanUp(clock, stopping.signal)).rejects.toMatchObject({ name: "Interrupted" });
    expect(await leaseKeys()).toHaveLength(3);
  });

  it("a missing table is one line that names the option", async () => {
    await expect(dynamoDbFleetRows(server.client, "no-such").list()).rejects.toMatchObject({
      name: "CommandError",
      message: "there is no lease table no-such; give its name with --table",
    });
  });
});

it("says what it did", () => {
  expect(cleanupText("orders", [])).toBe("orders: no fleet rows, nothing to do");
  expect(cleanupText("orders", [{ leaseKey: "evenkeel-fleet-0", workers: ["a", "b"] }])).toBe(
    "orders: 1 fleet row removed (of a, b); what is left are leases",
  );
});
