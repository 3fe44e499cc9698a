/**
 * Encodes and decodes KCL's lease row. Names and types are those of Java KCL 1.x to 3.5
 * (`DynamoDBLeaseSerializer`), so that a Java fleet can be stopped and this one started on the same table,
 * and back.
 *
 * Attributes that are not read are never written. A row is written whole only when it is created; later only
 * single attributes are changed. So `throughputKBps`, the bytes of pending checkpoints and attributes of a
 * later KCL stay as they are.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { type HashRange, MAX_HASH_KEY } from "../../core/hash-range.ts";
import { type Checkpoint, isSentinel, type Lease } from "../../core/lease.ts";
import {
  ENTITY_TYPE,
  type Item,
  LEASE_KEY,
  RowError,
  readCount,
  readText,
  readTextSet,
  required,
  shown,
} from "./attributes.ts";
import { FLEET_ROW_PREFIX, LEASE_ENTITY_TYPE, OWN_ROW_PREFIX } from "./own-rows.ts";

/** KCL's attribute names. `parentShardId` is a string *set*, in spite of its name. */
export const LEASE_ATTRIBUTES = {
  leaseOwner: "leaseOwner",
  leaseCounter: "leaseCounter",
  checkpoint: "checkpoint",
  checkpointSubSequenceNumber: "checkpointSubSequenceNumber",
  ownerSwitches: "ownerSwitchesSinceCheckpoint",
  pendingCheckpoint: "pendingCheckpoint",
  pendingCheckpointSubSequenceNumber: "pendingCheckpointSubSequenceNumber",
  /** Bytes; Java's create path writes a number here by mistake. This library only ever removes it. */
  pendingCheckpointState: "pendingCheckpointState",
  parentShardId: "parentShardId",
  childShardIds: "childShardIds",
  startingHashKey: "startingHashKey",
  endingHashKey: "endingHashKey",
  checkpointOwner: "checkpointOwner",
  /** Not in KCL, which leaves it alone: `Lease.startMillis`. */
  startMillis: "evenkeelStartMillis",
  /**
   * Not in KCL either: the worker that is to take the lease up (`Lease.isPending`). It counts only while it
   * equals the owner. Once Java KCL has taken the lease, the owner is another.
   */
  pendingFor: "evenkeelPendingFor",
  /** Only in the rows of KCL's multi-stream mode. */
  streamName: "streamName",
} as const;

const NAMES = LEASE_ATTRIBUTES;

export type RowKind =
  | { readonly kind: "lease"; readonly lease: Lease }
  /** A lease row that cannot be decoded. `problem` states what is wrong and what was expected. */
  | { readonly kind: "corrupt"; readonly leaseKey: string; readonly problem: string }
  | { readonly kind: "fleet" }
  /**
   * Neither a lease nor a fleet row: Java KCL 3.5's other entities (leader lock, worker metrics, migration
   * state), and the application's row.
   */
  | { readonly kind: "foreign" };

/** The kind of a row of the lease table. Never throws: an unreadable row is reported, not dropped. */
export function classifyRow(item: Item): RowKind {
  const leaseKey = item[LEASE_KEY]?.S ?? "(no leaseKey)";
  // Rows of this library are recognised by their keys: they have an entity type of KCL's, and look like
  // leases (`kcl-attributes.ts`).
  if (leaseKey.startsWith(FLEET_ROW_PREFIX)) return { kind: "fleet" };
  if (leaseKey.startsWith(OWN_ROW_PREFIX)) return { kind: "foreign" };
  const isTyped = item[ENTITY_TYPE] !== undefined;
  if (isTyped && item[ENTITY_TYPE]?.S !== LEASE_ENTITY_TYPE) return { kind: "foreign" };
  try {
    return { kind: "lease", lease: decodeLease(item) };
  } catch (error) {
    if (error instanceof RowError) return { kind: "corrupt", leaseKey, problem: error.message };
    throw error;
  }
}

/** Throws `RowError` for a row that is not a readable lease. */
export function decodeLease(item: Item): Lease {
  refuseMultiStream(item);
  return {
    leaseKey: required(readText(item, LEASE_KEY), LEASE_KEY),
    owner: readText(item, NAMES.leaseOwner),
    counter: required(readCount(item, NAMES.leaseCounter), NAMES.leaseCounter),
    checkpoint: decodeCheckpoint(item),
    ownerSwitchesSinceCheckpoint: readCount(item, NAMES.ownerSwitches) ?? 0,
    parentShardIds: readTextSet(item, NAMES.parentShardId),
    childShardIds: readTextSet(item, NAMES.childShardIds),
    hashRange: decodeHashRange(item),
    checkpointOwner: readText(item, NAMES.checkpointOwner),
    startMillis: readCount(item, NAMES.startMillis),
    ...(isPending(item) && { isPending: true }),
  };
}

function isPending(item: Item): boolean {
  const taker = readText(item, NAMES.pendingFor);
  return taker !== undefined && taker === readText(item, NAMES.leaseOwner);
}

function decodeCheckpoint(item: Item): Checkpoint {
  const checkpoint: Checkpoint = {
    sequenceNumber: required(readText(item, NAMES.checkpoint), NAMES.checkpoint),
    subSequenceNumber: readCount(item, NAMES.checkpointSubSequenceNumber) ?? 0,
  };
  if (!isSentinel(checkpoint) && !DECIMAL.test(checkpoint.sequenceNumber)) {
    throw new RowError(
      `${NAMES.checkpoint} is "${shown(checkpoint.sequenceNumber)}", expected a decimal sequence number, TRIM_HORIZON, LATEST, AT_TIMESTAMP or SHARD_END`,
    );
  }
  return checkpoint;
}

const DECIMAL = /^\d+$/;
/** As many digits as 2^128 - 1 has. A row may hold 400,000 digits, and such a number takes long to parse. */
const HASH_KEY = /^\d{1,39}$/;

function decodeHashRange(item: Item): HashRange | undefined {
  const start = readHashKey(item, NAMES.startingHashKey);
  const end = readHashKey(item, NAMES.endingHashKey);
  if (start === undefined && end === undefined) return undefined; // rows of an old KCL have none
  const range = {
    start: required(start, NAMES.startingHashKey),
    end: required(end, NAMES.endingHashKey),
  };
  if (range.start > range.end) {
    throw new RowError(
      `${NAMES.startingHashKey} ${range.start} is after ${NAMES.endingHashKey} ${range.end}`,
    );
  }
  return range;
}

function readHashKey(item: Item, name: string): bigint | undefined {
  const text = readText(item, name);
  if (text === undefined) return undefined;
  if (!HASH_KEY.test(text) || BigInt(text) > MAX_HASH_KEY) {
    throw new RowError(`${name} is "${shown(text)}", expected a decimal number from 0 to 2^128 - 1`);
  }
  return BigInt(text);
}

/** KCL's multi-stream lease keys: `accountId:streamName:creationEpoch:shardId`. */
const MULTI_STREAM_KEY = /^\d+:[^:]+:\d+:[^:]+$/;

/**
 * If such a row were taken for a lease of this stream, a worker would claim it and look for its "shard" in
 * vain.
 */
function refuseMultiStream(item: Item): void {
  if (item[NAMES.streamName] === undefined && !MULTI_STREAM_KEY.test(item[LEASE_KEY]?.S ?? "")) return;
  throw new RowError(
    "it is a lease of KCL's multi-stream mode, expected one of a single stream; give this application a lease table of its own",
  );
}

/** The whole row, for the one PutItem that creates it. */
export function encodeLease(lease: Lease): Record<string, AttributeValue> {
  const item: Record<string, AttributeValue> = {
    [LEASE_KEY]: { S: lease.leaseKey },
    // KCL 3.5's discriminator. Older versions ignore it.
    [ENTITY_TYPE]: { S: LEASE_ENTITY_TYPE },
    [NAMES.leaseCounter]: { N: String(lease.counter) },
    [NAMES.checkpoint]: { S: lease.checkpoint.sequenceNumber },
    [NAMES.checkpointSubSequenceNumber]: { N: String(lease.checkpoint.subSequenceNumber) },
    [NAMES.ownerSwitches]: { N: String(lease.ownerSwitchesSinceCheckpoint) },
  };
  if (lease.owner !== undefined) item[NAMES.leaseOwner] = { S: lease.owner };
  if (lease.isPending === true && lease.owner !== undefined) item[NAMES.pendingFor] = { S: lease.owner };
  if (lease.startMillis !== undefined) item[NAMES.startMillis] = { N: String(lease.startMillis) };
  if (lease.checkpointOwner !== undefined) item[NAMES.checkpointOwner] = { S: lease.checkpointOwner };
  if (lease.parentShardIds.length > 0) item[NAMES.parentShardId] = { SS: [...lease.parentShardIds] };
  if (lease.childShardIds.length > 0) item[NAMES.childShardIds] = { SS: [...lease.childShardIds] };
  if (lease.hashRange !== undefined) {
    item[NAMES.startingHashKey] = { S: String(lease.hashRange.start) };
    item[NAMES.endingHashKey] = { S: String(lease.hashRange.end) };
  }
  return item;
}
