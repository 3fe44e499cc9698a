/**
 * The attributes of this library's own rows that Java KCL needs. Java KCL reads every row of the lease table.
 * Its versions differ, so the attributes serve two purposes (tested with 2.7.2 and 3.5.1, test/interop):
 *
 * KCL 3.5 and later distinguish rows by `entityType`. A row with a type that they do not know is still taken
 * for a lease: it is assigned once its counter stops moving, and then the leader fails on the answer of its
 * own write. So the rows of this library have a type that KCL knows and never leases: that of its leader
 * lock. The lock itself is one row that KCL reads by its key, `Leader`. Other rows of this type are read with
 * the table and left alone.
 *
 * Older versions know no types and decode every row as a lease. A row without counters ends their lease
 * taking with a NullPointerException. For them the row is a lease that has ended. While its counter moves
 * they leave it alone. Once it stops moving, a Java worker takes the row, finds nothing to read, and deletes
 * it with its clean-up of finished leases. That happens five minutes after the start of that worker at the
 * earliest, by default, and it warns that the shard is not in the stream. So beside an older KCL, a row of
 * this library whose counter does not move can vanish at any moment.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { SHARD_END } from "../../core/lease.ts";
import { ENTITY_TYPE } from "./attributes.ts";
import { OWN_ENTITY_TYPE } from "./own-rows.ts";

/**
 * For the PutItem that creates a row of this library, beside its key and its own attributes. The row has no
 * owner, so it is an unowned lease.
 */
export function kclAttributes(): Record<string, AttributeValue> {
  return {
    [ENTITY_TYPE]: { S: OWN_ENTITY_TYPE },
    leaseCounter: { N: "0" },
    checkpoint: { S: SHARD_END },
    ownerSwitchesSinceCheckpoint: { N: "0" },
  };
}

/**
 * The owner that an older Java KCL reads in a row whose counter moves. It is no real worker: Java takes
 * leases from the busiest worker, and would try to take this one.
 */
const OWNER = "fleet";

/**
 * For an UpdateItem that keeps a row alive: rewrites all KCL attributes, with an owner and a counter that
 * moves.
 */
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
