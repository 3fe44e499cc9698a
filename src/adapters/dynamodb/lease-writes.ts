/**
 * Lease writes as DynamoDB expressions: named sub-conditions, and an update with the differences between the
 * row before and the row after. Pure.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { actualOwner, type Lease } from "../../core/lease.ts";
import { sameCheckpoint } from "./lease-changes.ts";
import { encodeLease, LEASE_ATTRIBUTES } from "./lease-row.ts";

const NAMES = LEASE_ATTRIBUTES;

export interface Condition {
  readonly expression: string;
  readonly values: Record<string, AttributeValue>;
}

const counterIs = (lease: Lease): Condition => ({
  expression: "leaseCounter = :seenCounter",
  values: { ":seenCounter": { N: String(lease.counter) } },
});

/** `leaseOwner` is as known; during a Java hand-over that is the *next* owner. */
function ownerIs(lease: Lease): Condition {
  if (lease.owner === undefined) return { expression: "attribute_not_exists(leaseOwner)", values: {} };
  return { expression: "leaseOwner = :seenOwner", values: { ":seenOwner": { S: lease.owner } } };
}

/**
 * There is no hand-over that the holder does not know of. A Java leader may set `checkpointOwner` without
 * moving the counter. The holder must then learn of it from a lost write (as in KCL).
 */
function holderIs(held: Lease): Condition {
  const isHolder = "checkpointOwner = :holder";
  const holder = actualOwner(held);
  if (holder === undefined) {
    throw new Error(`lease ${held.leaseKey} is written as held, but has no owner: claim it first`);
  }
  const isKnown = held.checkpointOwner !== undefined;
  return {
    expression: isKnown ? isHolder : `(attribute_not_exists(checkpointOwner) OR ${isHolder})`,
    values: { ":holder": { S: holder } },
  };
}

export const asHeld = (held: Lease): readonly Condition[] => [ownerIs(held), counterIs(held), holderIs(held)];
export const asSeen = (seen: Lease): readonly Condition[] => [ownerIs(seen), counterIs(seen)];

/** A Java KCL's prepared checkpoint is void once a real one is written. */
export const PENDING: readonly string[] = [
  NAMES.pendingCheckpoint,
  NAMES.pendingCheckpointSubSequenceNumber,
  NAMES.pendingCheckpointState,
];

export interface LeaseExpressions {
  readonly ConditionExpression: string;
  readonly UpdateExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Record<string, AttributeValue>;
}

/**
 * Sets the attributes of `after` that differ from `before`. Removes those that `after` no longer has and, in
 * any case, those in `removed`. Values are absolute (no ADD): the condition proves the old values, and a
 * repeated write cannot count twice.
 */
export function leaseExpressions(
  before: Lease,
  after: Lease,
  conditions: readonly Condition[],
  removed: readonly string[],
): LeaseExpressions {
  const old = encodeLease(before);
  const wanted = encodeLease(after);
  const sets = Object.keys(wanted).filter(
    (name) => JSON.stringify(wanted[name]) !== JSON.stringify(old[name]),
  );
  const gone = Object.keys(old).filter((name) => wanted[name] === undefined);
  const removes = [...new Set([...gone, ...removed])].filter((name) => wanted[name] === undefined);
  const set = sets.map((name) => `#${name} = :${name}`).join(", ");
  const remove = removes.map((name) => `#${name}`).join(", ");
  return {
    ConditionExpression: conditions.map((condition) => condition.expression).join(" AND "),
    UpdateExpression: `SET ${set}${remove === "" ? "" : ` REMOVE ${remove}`}`,
    ExpressionAttributeNames: Object.fromEntries([...sets, ...removes].map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: {
      ...Object.fromEntries(sets.map((name) => [`:${name}`, wanted[name] as AttributeValue])),
      ...Object.assign({}, ...conditions.map((condition) => condition.values)),
    },
  };
}

/**
 * Whether a failed condition was caused by this same write: its first try succeeded, the answer was lost, and
 * the SDK's second try found the counter moved. Then the row has what the write sets, at counter n + 1:
 *
 * - claim: the owner is this worker. (Or the old owner handed the lease to this worker at the same moment.
 *   That is as good, and the row has the checkpoint.)
 * - renew: the owner is the holder. checkpoint: also this write's checkpoint. Only the holder writes those.
 * - handOver: the owner is `to`, and the checkpoint is this write's if it moved. (Or `to` claimed the lease
 *   as expired at that same checkpoint.)
 * - release, complete: no owner, and the checkpoint is this write's if it moved.
 *
 * Another worker's write has another owner. A row that has moved on since (counter n + 2) counts as lost:
 * this worker may not write it in either case.
 */
export function isOwnWrite(before: Lease, after: Lease, current: Lease): boolean {
  const setsCheckpoint = !sameCheckpoint(before.checkpoint, after.checkpoint);
  return (
    current.counter === after.counter &&
    current.owner === after.owner &&
    current.checkpointOwner === after.checkpointOwner &&
    (!setsCheckpoint || sameCheckpoint(current.checkpoint, after.checkpoint))
  );
}
