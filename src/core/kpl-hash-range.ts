/**
 * Which user records of a KPL aggregate belong to a shard.
 *
 * The producer library fills an aggregate for the shards that it knows. After a reshard, an aggregate may
 * reach a shard that does not own all of its user records. The library notices this and sends those records
 * again. With `kplHashRange: "drop"` the first copy is dropped. That is KCL's rule, but applied to each user
 * record on its own; KCL drops the whole aggregate (awslabs/amazon-kinesis-client#343).
 */
import type { HashRange } from "./hash-range.ts";
import { type Md5, md5 } from "./md5.ts";
import type { ConsumerRecord } from "./record.ts";

type Keys = Pick<ConsumerRecord, "partitionKey" | "explicitHashKey">;

/** Undefined: unknown (an explicit hash key that is not a number, or no MD5). */
export function hashKeyOf({ partitionKey, explicitHashKey }: Keys, digest: Md5 = md5): bigint | undefined {
  if (explicitHashKey !== undefined)
    return /^\d{1,39}$/.test(explicitHashKey) ? BigInt(explicitHashKey) : undefined;
  const hash = digest(partitionKey);
  return hash === undefined ? undefined : BigInt(`0x${Buffer.from(hash).toString("hex")}`);
}

/** A record whose hash key is unknown is kept: a duplicate is better than a loss. */
export function isOutside(record: Keys, range: HashRange, digest: Md5 = md5): boolean {
  const hashKey = hashKeyOf(record, digest);
  return hashKey !== undefined && (hashKey < range.start || hashKey > range.end);
}
