/**
 * Where the fleet's small shared rows live in the lease table, and what outsiders may write there.
 * The resharder (and the command line) wake the fleet with `ADD shardSyncRequests 1, generation 1` on page 0:
 * the leading worker then lists shards at its next look instead of waiting out `shardSyncIntervalMillis`.
 */

/**
 * The entity type of every row of ours: that of KCL's leader lock, which KCL 3.5 never takes for a lease
 * (`consumer/adapters/disguise.ts`). What such a row is, its key says.
 */
export const OWN_ENTITY_TYPE = "LEADER";
/** KCL's entity type of a lease; absent means lease too. Rows with any other value are not leases. */
export const LEASE_ENTITY_TYPE = "LEASE";

/** The keys of all rows of ours begin so; no shard id does. */
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
