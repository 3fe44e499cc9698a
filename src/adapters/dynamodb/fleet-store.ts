/**
 * The fleet rows in DynamoDB. Every change of a row is one conditional UpdateItem. For rows above 0, the
 * increment of the fleet version is a second write, to row 0, and always *after* the entry. So a worker that
 * reads the new version also reads the entry. In the other order a worker could poll in between, find nothing
 * new, and wait. If the second write fails, the caller gets `StoreUnavailableError` and repeats the whole
 * operation; each may be repeated. (A join or a heartbeat has succeeded nevertheless, and reports the failed
 * increment.)
 */
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { type FleetRow, MEMBERS_PER_ROW } from "../../core/member.ts";
import { type LeaseStore, StoreError, StoreUnavailableError, withBump } from "../../ports/lease-store.ts";
import { type Item, LEASE_KEY, RowError } from "./attributes.ts";
import {
  assignExpressions,
  bumpExpressions,
  decodeFleetRow,
  type Expressions,
  firstJoinExpressions,
  fleetKey,
  garbledAttributes,
  heartbeatExpressions,
  joinExpressions,
  leaveExpressions,
  markDeadExpressions,
} from "./fleet-rows.ts";
import { FLEET_ATTRIBUTES, FLEET_ROW_PREFIX } from "./own-rows.ts";
import { isConditionFailure, storeErrorOf } from "./store-errors.ts";

export type FleetStore = Pick<
  LeaseStore,
  "readFleet" | "join" | "sendHeartbeat" | "markDead" | "assign" | "leave" | "bumpFleetVersion"
>;

/**
 * `old`: the row that the condition failed on. Undefined: it does not exist, or the endpoint does not return
 * it.
 */
type RowWrite =
  | { readonly kind: "ok"; readonly fleetRow: FleetRow }
  | { readonly kind: "failed"; readonly old: FleetRow | undefined };

/**
 * Other workers may create, fill and delete the row between this worker's reads. In each failed round another
 * worker has made progress.
 */
const JOIN_ROUNDS = 5;
/**
 * Leavers may increment the fleet version between the read and the delete. An empty fleet row 0 left behind
 * does no harm.
 */
const CLEANUP_ROUNDS = 5;

export function dynamoDbFleet(client: DynamoDBClient, tableName: string): FleetStore {
  /**
   * Decodes a fleet row. A row that a person or another program has made unreadable is deleted, so that its
   * members write it again: they cannot send heartbeats to it. It is deleted only if it is still as read. A
   * single entry that cannot be decoded leaves its row as it is.
   */
  async function decoded(item: Item): Promise<FleetRow> {
    try {
      return decodeFleetRow(item);
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      await deleteAsSeen(item);
      const name = item[LEASE_KEY]?.S;
      throw new StoreUnavailableError(
        `row ${name} of lease table ${tableName} cannot be read: ${error.message}; it is deleted, and its workers write it anew`,
        { cause: error, errorClass: "malformed-answer" },
      );
    }
  }

  async function deleteAsSeen(item: Item): Promise<void> {
    const garbled = garbledAttributes(item);
    try {
      await client.send(
        new DeleteItemCommand({
          TableName: tableName,
          Key: { [LEASE_KEY]: item[LEASE_KEY]! },
          ConditionExpression: garbled.map((_, index) => `#name${index} = :seen${index}`).join(" AND "),
          ExpressionAttributeNames: Object.fromEntries(garbled.map((name, index) => [`#name${index}`, name])),
          ExpressionAttributeValues: Object.fromEntries(
            garbled.map((name, index) => [`:seen${index}`, item[name]!]),
          ),
        }),
      );
    } catch (error) {
      // Repaired or deleted meanwhile: nothing is left to do.
      if (!isConditionFailure(error)) throw storeErrorOf(error, "DeleteItem", tableName);
    }
  }

  async function write(fleetRow: number, expressions: Expressions): Promise<RowWrite> {
    try {
      const { Attributes } = await client.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: fleetKey(fleetRow),
          ...expressions,
          ReturnValues: "ALL_NEW",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      );
      if (Attributes === undefined)
        throw new StoreUnavailableError(`UpdateItem on lease table ${tableName}: an answer without the row`, {
          errorClass: "malformed-answer",
        });
      return { kind: "ok", fleetRow: await decoded(Attributes) };
    } catch (error) {
      if (error instanceof StoreError) throw error;
      if (!isConditionFailure(error)) {
        throw storeErrorOf(error, "UpdateItem", tableName);
      }
      return { kind: "failed", old: error.Item && (await decoded(error.Item)) };
    }
  }

  async function readFleet(fleetRow: number, options: { readonly consistent?: boolean } = {}) {
    try {
      const { Item } = await client.send(
        new GetItemCommand({
          TableName: tableName,
          Key: fleetKey(fleetRow),
          ConsistentRead: options.consistent ?? false,
        }),
      );
      return Item && (await decoded(Item));
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw storeErrorOf(error, "GetItem", tableName);
    }
  }

  async function bumpFleetVersion(): Promise<void> {
    await write(0, bumpExpressions()); // a failed condition: no fleet row 0, so no worker to wake
  }

  /** For rows above 0, whose own write could not increment the fleet version. */
  async function bumpAfter(fleetRow: number): Promise<void> {
    if (fleetRow > 0) await bumpFleetVersion();
  }

  /**
   * Deletes a fleet row without members. Row 0 only if its fleet version has not moved since it was read: a
   * joiner or a leaver of another row may have changed it.
   */
  async function deleteIfEmpty(fleetRow: FleetRow): Promise<"deleted" | "changed"> {
    const isEmpty = "size(#members) = :none";
    const isUnmoved = fleetRow.number === 0 ? " AND #generation = :generation" : "";
    try {
      await client.send(
        new DeleteItemCommand({
          TableName: tableName,
          Key: fleetKey(fleetRow.number),
          ConditionExpression: `${isEmpty}${isUnmoved}`,
          ExpressionAttributeNames: {
            "#members": FLEET_ATTRIBUTES.members,
            ...(fleetRow.number === 0 ? { "#generation": FLEET_ATTRIBUTES.version } : {}),
          },
          ExpressionAttributeValues: {
            ":none": { N: "0" },
            ...(fleetRow.number === 0 ? { ":generation": { N: String(fleetRow.version) } } : {}),
          },
        }),
      );
      return "deleted";
    } catch (error) {
      if (isConditionFailure(error)) return "changed";
      throw storeErrorOf(error, "DeleteItem", tableName);
    }
  }

  /**
   * Called only when a fleet row has just lost its last member, so the scan is rare. The numbers of fleet
   * rows may have gaps.
   */
  async function anyMembers(): Promise<boolean> {
    let start: Item | undefined;
    do {
      try {
        const { Items, LastEvaluatedKey } = await client.send(
          new ScanCommand({
            TableName: tableName,
            ConsistentRead: true,
            FilterExpression: "begins_with(#key, :fleet) AND size(#members) > :none",
            ExpressionAttributeNames: { "#key": LEASE_KEY, "#members": FLEET_ATTRIBUTES.members },
            ExpressionAttributeValues: { ":fleet": { S: FLEET_ROW_PREFIX }, ":none": { N: "0" } },
            ...(start && { ExclusiveStartKey: start }),
          }),
        );
        if ((Items ?? []).length > 0) return true;
        start = LastEvaluatedKey;
      } catch (error) {
        throw storeErrorOf(error, "Scan", tableName);
      }
    } while (start !== undefined);
    return false;
  }

  /**
   * After the last member of a row has left: the last member of the fleet to leave, on whichever row, also
   * deletes row 0.
   */
  async function deleteFirstRow(): Promise<void> {
    for (let round = 0; round < CLEANUP_ROUNDS; round++) {
      const first = await readFleet(0, { consistent: true });
      if (first === undefined || first.members.length > 0 || (await anyMembers())) return;
      if ((await deleteIfEmpty(first)) === "deleted") return;
    }
  }

  return {
    readFleet,
    bumpFleetVersion,

    async join(fleetRow, member) {
      for (let round = 0; round < JOIN_ROUNDS; round++) {
        const joined = await write(fleetRow, joinExpressions(fleetRow, member, MEMBERS_PER_ROW));
        // An endpoint may not return the old row: read it.
        const old =
          joined.kind === "ok"
            ? undefined
            : (joined.old ?? (await readFleet(fleetRow, { consistent: true })));
        const isFull = old !== undefined && old.members.length >= MEMBERS_PER_ROW;
        if (isFull && !old.members.some((one) => one.workerId === member.workerId)) return { kind: "full" };
        const done =
          joined.kind === "ok" ? joined : await write(fleetRow, firstJoinExpressions(fleetRow, member));
        if (done.kind === "failed") continue; // another worker created the row first: join that one
        return withBump(done, bumpAfter(fleetRow));
      }
      throw new StoreUnavailableError(`fleet page ${fleetRow} of lease table ${tableName} keeps changing`);
    },

    async sendHeartbeat(fleetRow, member, { bump }) {
      const written = await write(fleetRow, heartbeatExpressions(fleetRow, member, bump));
      if (written.kind === "failed") {
        // An endpoint may not return the old row: read it.
        const now = written.old ?? (await readFleet(fleetRow, { consistent: true }));
        return { kind: "fencedOut", entry: now?.members.find((one) => one.workerId === member.workerId) };
      }
      return bump ? withBump(written, bumpAfter(fleetRow)) : written;
    },

    async markDead(fleetRow, seen) {
      const declared = await write(fleetRow, markDeadExpressions(fleetRow, seen));
      if (declared.kind === "failed") return "changed";
      await bumpAfter(fleetRow);
      return "declared";
    },

    async assign(fleetRow, assignments, size) {
      const { kind } = await write(fleetRow, assignExpressions(assignments, size));
      return kind === "ok" ? "assigned" : "gone";
    },

    async leave(fleetRow, member) {
      const left = await write(fleetRow, leaveExpressions(fleetRow, member));
      const now =
        left.kind === "ok" ? left.fleetRow : (left.old ?? (await readFleet(fleetRow, { consistent: true })));
      if (left.kind === "failed" && now?.members.some((one) => one.workerId === member.workerId))
        return "changed";
      // An entry that is gone may have been removed by a try whose answer was lost, so the next steps are
      // repeated too.
      await bumpAfter(fleetRow);
      if (now !== undefined && now.members.length > 0) return "left";
      if (fleetRow > 0 && now !== undefined) await deleteIfEmpty(now);
      await deleteFirstRow();
      return "left";
    },
  };
}
