/**
 * The simulator's store keeps the same conditions as DynamoDB, and its stream those of Kinesis. What the
 * simulation proves depends on this.
 */
import { LeaseTable } from "../simulation/world/lease-table.ts";
import { memoryLeaseStore } from "../simulation/world/memory-lease-store.ts";
import { memoryStream, streamRules } from "../simulation/world/memory-stream.ts";
import { StreamData } from "../simulation/world/stream-data.ts";
import { describeLeaseStore } from "./lease-store-suite.ts";
import { describeStream, type StreamCapabilities } from "./stream-suite.ts";

describeLeaseStore(
  "memory (simulator)",
  async () => {
    const table = new LeaseTable();
    return {
      store: memoryLeaseStore(table, { worker: "store" }),
      rival: memoryLeaseStore(table, { worker: "rival" }),
      close: async () => undefined,
    };
  },
  { returnsOldItem: true },
);

/** Five reads a second per shard: the suite reads no faster than this, in virtual time. */
const READ_SPACING_MILLIS = 200;

const memoryStreamUnderTest = (rules: Parameters<typeof streamRules>[0]) => async (shards: number) => {
  let now = 0;
  const data = new StreamData(shards, undefined, () => now);
  const hasHappened = async (happened: boolean) => {
    if (!happened) throw new Error("the stream refused to be resharded so");
  };
  let puts = 0;
  return {
    stream: memoryStream(data, streamRules(rules), { now: () => now }),
    async put(record: { partitionKey: string; explicitHashKey: bigint; data: string }) {
      const bytes = new TextEncoder().encode(record.data);
      data.put(record.partitionKey, record.explicitHashKey, ++puts, bytes);
    },
    split: ({ shardId }: { shardId: string }) => hasHappened(data.split(shardId)),
    merge: (left: { shardId: string }, right: { shardId: string }) =>
      hasHappened(data.merge(left.shardId) && data.shard(right.shardId)?.closedAt !== undefined),
    async beforeRead() {
      now += READ_SPACING_MILLIS;
    },
    close: async () => undefined,
  };
};

// The two ways in which a swarm's stream may behave: like Kinesis, and like the endpoints that return less.
const AS_KINESIS: StreamCapabilities = {
  namesChildren: true,
  refusesNonsense: true,
  foreignNumber: "invalid",
};
describeStream("memory (simulator), as Kinesis", memoryStreamUnderTest({}), AS_KINESIS);
describeStream(
  "memory (simulator), ends without records and without children",
  memoryStreamUnderTest({ namesChildren: false, endsWithRecords: false }),
  { ...AS_KINESIS, namesChildren: false },
);
