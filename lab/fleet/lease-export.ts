/** The lease table as plain JSON, row by row as stored: leases in KCL's schema, and fleet rows. */
import { type AttributeValue, ScanCommand, type ScanCommandInput } from "@aws-sdk/client-dynamodb";
import type { Clients } from "../aws/clients.ts";

type PlainValue = string | number | boolean | null | PlainValue[] | { [name: string]: PlainValue };
export type PlainRow = Readonly<Record<string, PlainValue>>;

/** A page is 1 MB. A table of a million leases has 400 pages. */
const MAX_PAGES = 1_000;

export async function exportLeases(clients: Clients, tableName: string): Promise<PlainRow[]> {
  const rows: PlainRow[] = [];
  let startKey: Record<string, AttributeValue> | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const input: ScanCommandInput = { TableName: tableName, ConsistentRead: true };
    const answer = await clients.dynamoDb.send(
      new ScanCommand(startKey === undefined ? input : { ...input, ExclusiveStartKey: startKey }),
    );
    for (const item of answer.Items ?? []) rows.push(plainRow(item));
    startKey = answer.LastEvaluatedKey;
    if (startKey === undefined) return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
  throw new Error(`the scan of ${tableName} did not end after ${MAX_PAGES} pages`);
}

const keyOf = (row: PlainRow): string => String(row.leaseKey ?? "");

const plainRow = (item: Record<string, AttributeValue>): PlainRow =>
  Object.fromEntries(Object.entries(item).map(([name, value]) => [name, plainValue(value)]));

/** Pure. Numbers that JSON cannot represent exactly stay text. */
export function plainValue(value: AttributeValue): PlainValue {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return plainNumber(value.N);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.SS !== undefined) return value.SS.toSorted();
  if (value.NS !== undefined) return value.NS.map(plainNumber);
  if (value.L !== undefined) return value.L.map(plainValue);
  if (value.M !== undefined) return { ...plainRow(value.M) };
  if (value.B !== undefined) return Buffer.from(value.B).toString("base64");
  return null;
}

const plainNumber = (text: string): PlainValue => (String(Number(text)) === text ? Number(text) : text);
