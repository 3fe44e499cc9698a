/**
 * A lease table as Java KCL 2.x, 3.x and 3.5 leave it (names and types: reference of
 * `DynamoDBLeaseSerializer`, `WorkerMetricStats` and the lock client). In DynamoDB's own format, so that a
 * wrong type is noticed. Compared with what KCL 2.7.2 and 3.5.1 wrote (`npm run test:interop` dumps it). Rows
 * of hand-over, merge, 1.x and multi-stream are from the sources.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";

export type Row = Record<string, AttributeValue>;

const OWNER = "ip-10-0-0-1:5b1c8f0e-2c3b-4f67-9f4e-0a2b8a0b1c2d";
const SEQUENCE = "49590338271490256608559692538361571095921575989136588898";

/** KCL 2.x, running: owned, checkpointed, with its hash range. */
export const java2Running: Row = {
  leaseKey: { S: "shardId-000000000001" },
  leaseOwner: { S: OWNER },
  leaseCounter: { N: "4711" },
  ownerSwitchesSinceCheckpoint: { N: "2" },
  checkpoint: { S: SEQUENCE },
  checkpointSubSequenceNumber: { N: "7" },
  startingHashKey: { S: "170141183460469231731687303715884105728" },
  endingHashKey: { S: "340282366920938463463374607431768211455" },
};

/** KCL 2.x, child of a merge, not begun; no owner attribute at all. */
export const java2MergeChild: Row = {
  leaseKey: { S: "shardId-000000000004" },
  leaseCounter: { N: "0" },
  ownerSwitchesSinceCheckpoint: { N: "0" },
  checkpoint: { S: "TRIM_HORIZON" },
  checkpointSubSequenceNumber: { N: "0" },
  parentShardId: { SS: ["shardId-000000000003", "shardId-000000000002"] },
  startingHashKey: { S: "0" },
  endingHashKey: { S: "170141183460469231731687303715884105727" },
};

/** KCL 1.x: no hash keys yet. */
export const java1: Row = {
  leaseKey: { S: "shardId-000000000000" },
  leaseCounter: { N: "12" },
  ownerSwitchesSinceCheckpoint: { N: "0" },
  checkpoint: { S: "LATEST" },
  checkpointSubSequenceNumber: { N: "0" },
};

/** KCL 3.x: an ended parent with its children, and the throughput by which the leader balances. */
export const java3Ended: Row = {
  leaseKey: { S: "shardId-000000000002" },
  leaseOwner: { S: OWNER },
  leaseCounter: { N: "905" },
  ownerSwitchesSinceCheckpoint: { N: "0" },
  checkpoint: { S: "SHARD_END" },
  checkpointSubSequenceNumber: { N: "0" },
  childShardIds: { SS: ["shardId-000000000004"] },
  startingHashKey: { S: "0" },
  endingHashKey: { S: "85070591730234615865843651857942052863" },
  throughputKBps: { N: "12.75" },
};

/** KCL 3.x: the leader assigned it to worker-b, and worker-a has not finished handing it over. */
export const java3HandOver: Row = {
  ...java2Running,
  leaseKey: { S: "shardId-000000000005" },
  leaseOwner: { S: "worker-b" },
  checkpointOwner: { S: "worker-a" },
  throughputKBps: { N: "0" },
};

/** KCL 3.5, single table, with a prepared checkpoint whose state Java's create path wrote as a number. */
export const java35Prepared: Row = {
  ...java2Running,
  leaseKey: { S: "shardId-000000000006" },
  entityType: { S: "LEASE" },
  pendingCheckpoint: { S: `${SEQUENCE.slice(0, -1)}9` },
  pendingCheckpointSubSequenceNumber: { N: "0" },
  pendingCheckpointState: { N: "7" },
  throughputKBps: { N: "3.5" },
};

export const java3MultiStream: Row = {
  ...java2Running,
  leaseKey: { S: "111122223333:orders:1700000000:shardId-000000000001" },
  streamName: { S: "111122223333:orders:1700000000" },
  shardId: { S: "shardId-000000000001" },
};

/**
 * KCL 3.5's other entities in the same table: the first three as 3.5.1 wrote them in test/interop, the others
 * from its sources.
 */
export const java35Foreign: readonly Row[] = [
  {
    leaseKey: { S: "Leader" },
    entityType: { S: "LEADER" },
    ownerName: { S: OWNER },
    leaseDuration: { S: "120000" },
    recordVersionNumber: { S: "0d9c4cf4-9a55-4a9b-9b3c-4d4c2a6fd1f0" },
  },
  {
    leaseKey: { S: OWNER },
    entityType: { S: "WORKER_METRIC_STATS" },
    lut: { N: "1763890000" },
    sts: { M: { C: { L: [{ N: "12.5" }, { N: "-1" }] } } },
    opr: { M: { C: { L: [{ N: "80" }] } } },
    sup: { N: "1" },
    slu: { N: "1763890000" },
  },
  {
    leaseKey: { S: "Migration3.0" },
    entityType: { S: "CLIENT_VERSION_MIGRATION" },
    cv: { S: "CLIENT_VERSION_3X" },
    mb: { S: OWNER },
    mts: { N: "1763890000000" },
    h: {
      L: [{ M: { cv: { S: "CLIENT_VERSION_INIT" }, mb: { S: OWNER }, mts: { N: "1763889999997" } } }],
    },
  },
  { leaseKey: { S: "TableMigration3.5" }, entityType: { S: "TABLE_MIGRATION" }, tm: { S: "COMPLETE" } },
  { leaseKey: { S: "111122223333:orders:1700000000" }, entityType: { S: "STREAM" }, streamId: { S: "abc" } },
];

export const javaLeases = [
  java1,
  java2Running,
  java2MergeChild,
  java3Ended,
  java3HandOver,
  java35Prepared,
] as const;
