/**
 * What a row of ours carries so that Java KCL, which reads every row of the lease table, can live with it. Two forms
 * in one, because its versions differ (tried with 2.7.2 and 3.5.1, test/interop):
 *
 * KCL 3.5 and later tell rows apart by `entityType`. One that they do not know is still taken for a lease: it is
 * assigned once its counter stands still, and the leader then fails on the answer of its own write. So our rows bear
 * a type that KCL knows and never leases: its leader lock's. The lock itself is one row that KCL reads by its key,
 * `Leader`; other rows of this type are read with the table and left alone.
 *
 * Older versions know no types, and decode every row as a lease; one without counters ends their lease taking with a
 * NullPointerException. For them the row is a lease that has ended. While its counter moves they let it be. Once it
 * stands still, a Java worker takes it, finds nothing to read, and deletes it with its clean-up of finished leases
 * (by default five minutes after that worker's start at the earliest; it warns that the shard is not in the stream).
 * So beside an older KCL, a row of ours that stands still can vanish at any moment.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { SHARD_END } from "../../core/lease.ts";
import { ENTITY_TYPE } from "./attributes.ts";
import { OWN_ENTITY_TYPE } from "./own-rows.ts";

/** For the PutItem that makes a row of ours, beside its key and its own attributes. Without an owner: nobody's lease. */
export function kclAttributes(): Record<string, AttributeValue> {
  return {
    [ENTITY_TYPE]: { S: OWN_ENTITY_TYPE },
    leaseCounter: { N: "0" },
    checkpoint: { S: SHARD_END },
    ownerSwitchesSinceCheckpoint: { N: "0" },
  };
}

/**
 * Whose lease an older Java KCL takes a moving row for. No worker of ours: Java takes leases from the busiest, and
 * would try to take this one.
 */
const OWNER = "fleet";

/** For an UpdateItem that keeps a row alive: the whole disguise anew, with an owner and a counter that moves. */
export function movingKclAttributes() {
  return {
    set: "#entityType = :entityType, #leaseOwner = :leaseOwner, #checkpoint = :shardEnd, #ownerSwitches = :none",
    add: "#leaseCounter :one",
    names: {
      "#entityType": ENTITY_TYPE,
      "#leaseOwner": "leaseOwner",
      "#checkpoint": "checkpoint",
      "#ownerSwitches": "ownerSwitchesSinceCheckpoint",
      "#leaseCounter": "leaseCounter",
    },
    values: {
      ":entityType": { S: OWN_ENTITY_TYPE },
      ":leaseOwner": { S: OWNER },
      ":shardEnd": { S: SHARD_END },
      ":none": { N: "0" },
      ":one": { N: "1" },
    },
  };
}
