/**
 * Where the fleet's small shared rows live in the lease table, and what outsiders may write there.
 * The resharder (and the command line) wake the fleet with `ADD shardSyncRequests 1, generation 1` on page 0:
 * the leading worker then lists shards at its next look instead of waiting out `shardSyncIntervalMillis`.
 */
export const FLEET_ENTITY_TYPE = "EVENKEEL_FLEET";
/** KCL's entity type of a lease; absent means lease too. Rows with any other value are not leases. */
export const LEASE_ENTITY_TYPE = "LEASE";

export const FLEET_ROW_PREFIX = "evenkeel-fleet-";
export const fleetRowKey = (page: number): string => `${FLEET_ROW_PREFIX}${page}`;

export const FLEET_ATTRIBUTES = {
  generation: "generation",
  shardSyncRequests: "shardSyncRequests",
  members: "members",
} as const;
