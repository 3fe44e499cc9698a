/**
 * The keys and attributes of the fleet's shared rows in the lease table, and what other programs may write
 * there. The resharder (and the command line) make the leader list shards at its next poll, instead of after
 * `shardSyncIntervalMillis`: they write `ADD shardSyncRequests 1, generation 1` to fleet row 0.
 */

/**
 * The entity type of every row of this library: that of KCL's leader lock, which KCL 3.5 never takes for a
 * lease (`kcl-attributes.ts`). The key distinguishes the rows.
 */
export const OWN_ENTITY_TYPE = "LEADER";
/** KCL's entity type of a lease. An absent type means lease too. Rows with any other value are not leases. */
export const LEASE_ENTITY_TYPE = "LEASE";

/** The keys of all rows of this library begin with this prefix; no shard id does. */
export const OWN_ROW_PREFIX = "evenkeel-";
export const FLEET_ROW_PREFIX = `${OWN_ROW_PREFIX}fleet-`;
export const fleetRowKey = (page: number): string => `${FLEET_ROW_PREFIX}${page}`;

export const FLEET_ATTRIBUTES = {
  version: "generation",
  shardSyncRequests: "shardSyncRequests",
  members: "members",
  assignments: "assignments",
  size: "size",
} as const;
