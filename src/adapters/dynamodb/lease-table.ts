/** The lease table itself: checked, or created, by several workers at once. */
import {
  CreateTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  type TableDescription,
} from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../ports/clock.ts";
import { StoreUnavailableError, StoreUnusableError } from "../../ports/lease-store.ts";
import { LEASE_KEY } from "./attributes.ts";
import { storeErrorOf } from "./store-errors.ts";

/**
 * From 25 ms, doubling to 1 s: local endpoints create a table at once, DynamoDB in about 10 s. The wait ends
 * after a minute.
 */
const pollMillis = (poll: number): number => Math.min(1_000, 25 * 2 ** Math.min(poll, 10));
const MAX_POLLS = 66;

export interface LeaseTable {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
}

/** Throws `StoreUnusableError` when the table is missing (and not to be created) or has another key. */
export async function ensureLeaseTable(table: LeaseTable, create: boolean): Promise<void> {
  let mayCreate = create;
  for (let poll = 0; poll < MAX_POLLS; poll++) {
    // A table created a moment ago may not exist for every server yet.
    const found = await describe(table, create);
    if (found !== undefined) {
      checkKey(table, found);
      // UPDATING (an index being built, tags, billing) serves reads and writes.
      if (found.TableStatus === "ACTIVE" || found.TableStatus === "UPDATING") return;
    } else if (mayCreate) {
      await createTable(table);
      mayCreate = false; // created once, by this or another worker: from now on only wait
      continue;
    }
    await table.clock.sleep(pollMillis(poll));
  }
  throw new StoreUnavailableError(`lease table ${table.tableName} did not become ACTIVE within a minute`);
}

/** Undefined: the table does not exist. That is no error if it is about to be created or has just been. */
async function describe(table: LeaseTable, mayBeMissing: boolean): Promise<TableDescription | undefined> {
  try {
    const { Table } = await table.client.send(new DescribeTableCommand({ TableName: table.tableName }));
    if (Table === undefined)
      throw new StoreUnavailableError(`DescribeTable on ${table.tableName}: an answer without the table`, {
        errorClass: "malformed-answer",
      });
    return Table;
  } catch (error) {
    if (error instanceof StoreUnavailableError) throw error;
    if (error instanceof Error && error.name === "ResourceNotFoundException" && mayBeMissing)
      return undefined;
    throw storeErrorOf(error, "DescribeTable", table.tableName);
  }
}

async function createTable({ client, tableName }: LeaseTable): Promise<void> {
  try {
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        KeySchema: [{ AttributeName: LEASE_KEY, KeyType: "HASH" }],
        AttributeDefinitions: [{ AttributeName: LEASE_KEY, AttributeType: "S" }],
        BillingMode: "PAY_PER_REQUEST",
      }),
    );
  } catch (error) {
    // Another worker that started at the same moment created it first: that is as good.
    if (error instanceof Error && error.name === "ResourceInUseException") return;
    throw storeErrorOf(error, "CreateTable", tableName);
  }
}

function checkKey({ tableName }: LeaseTable, found: TableDescription): void {
  const keys = (found.KeySchema ?? []).map((key) => {
    const type = found.AttributeDefinitions?.find((one) => one.AttributeName === key.AttributeName);
    return `${key.AttributeName} (${type?.AttributeType}, ${key.KeyType})`;
  });
  const expected = `${LEASE_KEY} (S, HASH)`;
  if (keys.length === 1 && keys[0] === expected) return;
  throw new StoreUnusableError(
    `table ${tableName} has the key ${keys.join(", ")}, expected ${expected} alone: it is no lease table; set leaseTableName to another name`,
    { errorClass: "invalid" },
  );
}
