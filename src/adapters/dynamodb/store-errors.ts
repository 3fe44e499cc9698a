/**
 * Maps DynamoDB's errors to the two errors of the port: retry later, or wait until a person changes
 * something.
 */
import type { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { type ErrorClass, errorClassOf } from "../../core/error-class.ts";
import { StoreUnavailableError, StoreUnusableError } from "../../ports/lease-store.ts";
import { describeError } from "../error-text.ts";

/**
 * The remedy for each class. The other classes may pass by themselves: throttling, 5xx, the network,
 * time-outs.
 */
const REMEDIES: Readonly<Partial<Record<ErrorClass, string>>> = {
  "not-found": "create the table, or set createLeaseTable: true",
  denied:
    "allow DescribeTable, Scan, GetItem, PutItem, UpdateItem and DeleteItem (CreateTable with createLeaseTable) on it",
  unauthenticated: "check the credentials and this machine's clock",
  "expired-credentials": "renew the credentials",
  encryption: "check the table's KMS key and the right to use it",
  invalid: "check that the table has the string partition key leaseKey and no sort key",
};

/**
 * A condition that did not hold. Checked by name: the client may come from another installed copy of the SDK,
 * with other classes.
 */
export const isConditionFailure = (error: unknown): error is ConditionalCheckFailedException =>
  error instanceof Error && error.name === "ConditionalCheckFailedException";

export function storeErrorOf(
  error: unknown,
  operation: string,
  tableName: string,
): StoreUnavailableError | StoreUnusableError {
  const { name, text } = describeError(error);
  const what = `${operation} on lease table ${tableName} failed: ${text}`;
  const errorClass = errorClassOf(name);
  const remedy = REMEDIES[errorClass];
  if (remedy !== undefined) return new StoreUnusableError(`${what}; ${remedy}`, { cause: error, errorClass });
  return new StoreUnavailableError(what, { cause: error, errorClass });
}
