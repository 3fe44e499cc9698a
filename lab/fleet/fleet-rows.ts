/** The fleet rows of the lease table (rows that are not leases), as stored, readable or not. */
import { isDeepStrictEqual } from "node:util";
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  paginateScan,
  ResourceNotFoundException,
} from "@aws-sdk/client-dynamodb";
import { FLEET_ATTRIBUTES, FLEET_ROW_PREFIX } from "../../src/adapters/dynamodb/own-rows.ts";
import { CommandError } from "../errors.ts";

/** Undefined members: the row was only partly created. */
export interface FleetRow {
  readonly leaseKey: string;
  readonly members: AttributeValue | undefined;
}

export interface FleetRows {
  /** All fleet rows, from one consistent scan. Throws a CommandError if there is no such table. */
  list(): Promise<FleetRow[]>;
  /** Undefined: the row is gone. */
  read(leaseKey: string): Promise<FleetRow | undefined>;
  /** Deletes the row if its members are unchanged. "changed": they are not, and the row stays. */
  remove(seen: FleetRow): Promise<"removed" | "changed">;
}

export const workersOf = (row: FleetRow | undefined): string[] =>
  Object.keys(row?.members?.M ?? {}).toSorted();

/** Workers whose entry differs between two reads: added, removed or changed. */
export function movedWorkers(before: FleetRow | undefined, after: FleetRow | undefined): string[] {
  const entry = (row: FleetRow | undefined, workerId: string) => row?.members?.M?.[workerId];
  return [...new Set([...workersOf(before), ...workersOf(after)])].filter(
    (workerId) => !isDeepStrictEqual(entry(before, workerId), entry(after, workerId)),
  );
}

export function dynamoDbFleetRows(client: DynamoDBClient, tableName: string): FleetRows {
  const key = (leaseKey: string) => ({ leaseKey: { S: leaseKey } });
  const rowOf = (item: Record<string, AttributeValue>): FleetRow => ({
    leaseKey: item.leaseKey?.S ?? "",
    members: item[FLEET_ATTRIBUTES.members],
  });
  return {
    async list() {
      const rows: FleetRow[] = [];
      const scan = paginateScan(
        { client },
        {
          TableName: tableName,
          ConsistentRead: true,
          FilterExpression: "begins_with(leaseKey, :prefix)",
          ExpressionAttributeValues: { ":prefix": { S: FLEET_ROW_PREFIX } },
        },
      );
      try {
        for await (const { Items } of scan) rows.push(...(Items ?? []).map(rowOf));
      } catch (error) {
        if (error instanceof ResourceNotFoundException)
          throw new CommandError(`there is no lease table ${tableName}; give its name with --table`);
        throw error;
      }
      return rows;
    },

    async read(leaseKey) {
      const { Item } = await client.send(
        new GetItemCommand({ TableName: tableName, Key: key(leaseKey), ConsistentRead: true }),
      );
      return Item && rowOf(Item);
    },

    async remove({ leaseKey, members }) {
      try {
        await client.send(
          new DeleteItemCommand({
            TableName: tableName,
            Key: key(leaseKey),
            ...membersAsSeen(members),
          }),
        );
        return "removed";
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return "changed";
        throw error;
      }
    },
  };
}

/**
 * The condition that the members are unchanged. Compares attribute by attribute, because not every endpoint
 * compares whole maps. A missing row passes: that is the intended result, or the effect of a first attempt
 * whose answer was lost.
 */
function membersAsSeen(members: AttributeValue | undefined) {
  const names: Record<string, string> = { "#members": FLEET_ATTRIBUTES.members };
  const values: Record<string, AttributeValue> = {};
  if (members === undefined)
    return { ConditionExpression: "attribute_not_exists(#members)", ExpressionAttributeNames: names };
  const entries = Object.entries(members.M ?? {});
  // A value that is not a map can only be compared as a whole.
  const conditions = [members.M === undefined ? "#members = :members" : "size(#members) = :members"];
  values[":members"] = members.M === undefined ? members : { N: String(entries.length) };
  entries.forEach(([workerId, entry], i) => {
    names[`#w${i}`] = workerId;
    for (const [attribute, value] of Object.entries(entry.M ?? {})) {
      names[`#${attribute}`] = attribute;
      values[`:${attribute}${i}`] = value;
      conditions.push(`#members.#w${i}.#${attribute} = :${attribute}${i}`);
    }
  });
  return {
    ConditionExpression: `attribute_not_exists(leaseKey) OR (${conditions.join(" AND ")})`,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}
