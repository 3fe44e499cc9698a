/** DynamoDB's errors in the port's two words: worth another try, or not before somebody does something. */
import { StoreUnavailable, StoreUnusable } from "../ports/lease-store.ts";
import { describeError } from "./error-text.ts";

/** By error name: what to do about it. Everything else may pass by itself: throttling, 5xx, network, time-outs. */
const REMEDIES: Readonly<Record<string, string>> = {
  ResourceNotFoundException: "create the table, or set createLeaseTable: true",
  AccessDeniedException:
    "allow DescribeTable, Scan, GetItem, PutItem, UpdateItem and DeleteItem (CreateTable with createLeaseTable) on it",
  UnrecognizedClientException: "check the credentials",
  InvalidSignatureException: "check the credentials and this machine's clock",
  MissingAuthenticationTokenException: "check the credentials",
  ValidationException: "check that the table has the string partition key leaseKey and no sort key",
};

export function storeProblem(
  error: unknown,
  operation: string,
  tableName: string,
): StoreUnavailable | StoreUnusable {
  const { name, text } = describeError(error);
  const what = `${operation} on lease table ${tableName} failed: ${text}`;
  const remedy = REMEDIES[name];
  if (remedy !== undefined) return new StoreUnusable(`${what}; ${remedy}`, { cause: error });
  return new StoreUnavailable(what, { cause: error });
}
