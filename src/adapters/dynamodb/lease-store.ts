/**
 * The lease table in DynamoDB (`ports/lease-store.ts` specifies each operation). Every lease write is one
 * conditional UpdateItem. The resulting row is computed, not read back. A failed condition returns the old
 * item, which distinguishes another worker's write from the first try of this same write.
 */
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  type ScanCommandOutput,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { Lease } from "../../core/lease.ts";
import type { FleetRow } from "../../core/member.ts";
import { systemClock } from "../../platform.ts";
import type { Clock } from "../../ports/clock.ts";
import {
  type LeaseListing,
  type LeaseStore,
  StoreUnavailableError,
  type WriteOutcome,
} from "../../ports/lease-store.ts";
import { APPLICATION_ROW_KEY, dynamoDbApplication } from "./application-row.ts";
import { type Item, LEASE_KEY, RowError } from "./attributes.ts";
import { decodeFleetRow } from "./fleet-rows.ts";
import { dynamoDbFleet } from "./fleet-store.ts";
import {
  checkpointed,
  claimed,
  completed,
  handedOver,
  released,
  renewed,
  sameCheckpoint,
} from "./lease-changes.ts";
import { classifyRow, encodeLease, LEASE_ATTRIBUTES } from "./lease-row.ts";
import { ensureLeaseTable } from "./lease-table.ts";
import { asHeld, asSeen, type Condition, isOwnWrite, leaseExpressions, PENDING } from "./lease-writes.ts";
import { isConditionFailure, storeErrorOf } from "./store-errors.ts";

export interface DynamoDbLeaseStoreOptions {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  /** Only for waiting until a new table is ready. Default: the machine's clock. */
  readonly clock?: Clock;
}

const HANDOVER: readonly string[] = [LEASE_ATTRIBUTES.checkpointOwner];
/** Attributes that a hand-over, this library's or Java's, leaves in a row. */
const UNCLAIMED: readonly string[] = [...HANDOVER, LEASE_ATTRIBUTES.pendingFor];

export function dynamoDbLeaseStore({ client, tableName, clock }: DynamoDbLeaseStoreOptions): LeaseStore {
  const key = (lease: Lease) => ({ [LEASE_KEY]: { S: lease.leaseKey } });

  /** `removed`: attributes to remove even if this worker does not know of them. */
  async function write(
    before: Lease,
    after: Lease,
    conditions: readonly Condition[],
    removed: readonly string[] = [],
  ): Promise<WriteOutcome> {
    try {
      const { Attributes } = await client.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: key(before),
          ...leaseExpressions(before, after, conditions, removed),
          // This costs nothing, and distinguishes DynamoDB's answer from an empty one of a proxy.
          ReturnValues: "UPDATED_NEW",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      );
      if (Attributes?.[LEASE_ATTRIBUTES.leaseCounter]?.N !== String(after.counter))
        throw new StoreUnavailableError(
          `UpdateItem on lease table ${tableName}: an answer without the row's new counter`,
          { errorClass: "malformed-answer" },
        );
      return { kind: "ok", lease: after };
    } catch (error) {
      if (error instanceof StoreUnavailableError) throw error;
      if (!isConditionFailure(error)) {
        throw storeErrorOf(error, "UpdateItem", tableName);
      }
      const current = readLease(error.Item);
      if (current !== undefined && isOwnWrite(before, after, current)) return { kind: "ok", lease: current };
      return { kind: "lost", current };
    }
  }

  /**
   * A write that ends this worker's ownership also ends a Java hand-over. A moved checkpoint voids a prepared
   * one.
   */
  const writeLast = (held: Lease, after: Lease) =>
    write(held, after, asHeld(held), [
      ...HANDOVER,
      ...(sameCheckpoint(held.checkpoint, after.checkpoint) ? [] : PENDING),
    ]);

  return {
    ...dynamoDbFleet(client, tableName),
    ...dynamoDbApplication(client, tableName),

    ensureTable: (create) => ensureLeaseTable({ client, tableName, clock: clock ?? systemClock }, create),

    async list({ consistent }) {
      try {
        return await listRows(client, tableName, consistent);
      } catch (error) {
        if (error instanceof StoreUnavailableError) throw error;
        throw storeErrorOf(error, "Scan", tableName);
      }
    },

    async read(leaseKey) {
      try {
        const { Item } = await client.send(
          new GetItemCommand({
            TableName: tableName,
            Key: { [LEASE_KEY]: { S: leaseKey } },
            ConsistentRead: true,
          }),
        );
        return readLease(Item);
      } catch (error) {
        throw storeErrorOf(error, "GetItem", tableName);
      }
    },

    async create(lease) {
      try {
        await client.send(
          new PutItemCommand({
            TableName: tableName,
            Item: encodeLease({ ...lease, counter: 0 }),
            ConditionExpression: `attribute_not_exists(${LEASE_KEY})`,
          }),
        );
        return "created";
      } catch (error) {
        // Also after a lost answer. Another worker would have written the same row, and the caller only needs
        // it to exist.
        if (isConditionFailure(error)) return "exists";
        throw storeErrorOf(error, "PutItem", tableName);
      }
    },

    claim: async (seen, owner) => write(seen, claimed(seen, owner), asSeen(seen), UNCLAIMED),
    renew: async (held) => write(held, renewed(held), asHeld(held)),
    checkpoint: async (held, checkpoint) =>
      write(held, checkpointed(held, checkpoint), asHeld(held), PENDING),
    handOver: async (held, to, checkpoint) => writeLast(held, handedOver(held, to, checkpoint)),
    release: async (held, checkpoint) => writeLast(held, released(held, checkpoint)),
    complete: async (held, childShardIds) => writeLast(held, completed(held, childShardIds)),

    async remove(seen) {
      const isGone = `attribute_not_exists(${LEASE_KEY})`;
      const isAsSeen = "leaseCounter = :seenCounter";
      try {
        await client.send(
          new DeleteItemCommand({
            TableName: tableName,
            Key: key(seen),
            // A row that is gone is the wanted result: another worker removed it, or a first try whose answer
            // was lost.
            ConditionExpression: `${isGone} OR ${isAsSeen}`,
            ExpressionAttributeValues: { ":seenCounter": { N: String(seen.counter) } },
          }),
        );
        return "removed";
      } catch (error) {
        if (isConditionFailure(error)) return "changed";
        throw storeErrorOf(error, "DeleteItem", tableName);
      }
    },
  };
}

/** Undefined: gone, not returned by the endpoint, or no longer a readable lease. */
function readLease(item: Item | undefined): Lease | undefined {
  const row = item && classifyRow(item);
  return row?.kind === "lease" ? row.lease : undefined;
}

async function listRows(
  client: DynamoDBClient,
  tableName: string,
  consistent: boolean,
): Promise<LeaseListing> {
  const leases: Lease[] = [];
  const corrupt: { leaseKey: string; problem: string }[] = [];
  const fleetRows: FleetRow[] = [];
  let hasApplication = false;
  // Paginated here: the SDK's paginator refuses a client from another installed copy of the SDK.
  let start: Item | undefined;
  do {
    const answer = await client.send(
      new ScanCommand({
        TableName: tableName,
        ConsistentRead: consistent,
        ...(start && { ExclusiveStartKey: start }),
      }),
    );
    const items = scannedItems(answer, tableName);
    for (const item of items) {
      const row = classifyRow(item);
      if (row.kind === "lease") leases.push(row.lease);
      if (row.kind === "corrupt") corrupt.push({ leaseKey: row.leaseKey, problem: row.problem });
      hasApplication ||= item[LEASE_KEY]?.S === APPLICATION_ROW_KEY;
      if (row.kind === "fleet") addFleetRow(item, fleetRows, corrupt);
    }
    start = answer.LastEvaluatedKey;
  } while (start !== undefined);
  return { leases, corrupt, fleetRows: fleetRows.sort((a, b) => a.number - b.number), hasApplication };
}

/**
 * DynamoDB always counts what it returns. An answer without the count is not DynamoDB's, and no proof of an
 * empty table.
 */
function scannedItems({ Items, Count }: ScanCommandOutput, tableName: string): readonly Item[] {
  if (Items !== undefined && Count === Items.length) return Items;
  throw new StoreUnavailableError(`Scan on lease table ${tableName}: an answer without its items`, {
    errorClass: "malformed-answer",
  });
}

function addFleetRow(
  item: Item,
  fleetRows: FleetRow[],
  corrupt: { leaseKey: string; problem: string }[],
): void {
  try {
    fleetRows.push(decodeFleetRow(item));
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    corrupt.push({ leaseKey: item[LEASE_KEY]?.S ?? "(no leaseKey)", problem: error.message });
  }
}
