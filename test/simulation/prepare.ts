/** What happened to the stream and the table before the first worker of a run starts. */
import type { Swarm } from "./swarm.ts";
import { freshLease, type LeaseTable } from "./world/lease-table.ts";
import type { Prng } from "./world/prng.ts";
import type { StreamData } from "./world/stream-data.ts";

export function prepare(
  stream: StreamData,
  table: LeaseTable,
  swarm: Swarm,
  prng: Prng,
  putSome: (count: number) => void,
): void {
  putSome(prng.integer(0, 3 * swarm.shards));
  for (let index = 0; index < swarm.earlierReshards; index++) {
    const shard = prng.pick(stream.openShards()).shard.shardId;
    const merged = prng.chance(0.4) && stream.merge(shard);
    if (!merged) stream.split(shard);
    putSome(prng.integer(0, swarm.shards));
  }
  if (swarm.trimmed) {
    for (const { shard, closedAt } of stream.shards()) if (closedAt !== undefined) stream.trim(shard.shardId);
  }
  if (swarm.orphanedLeases) {
    for (const [index, { shard }] of stream.openShards().entries()) {
      if (shard.parentShardIds.length > 0 || !prng.chance(0.7)) continue;
      const rest = { owner: `ghost${index % 2}`, counter: 7, hashRange: shard.hashRange };
      table.put(freshLease(shard.shardId, rest));
    }
  }
}
