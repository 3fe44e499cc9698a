import {
  CreateStreamCommand,
  DeleteStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
  waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";
import { SmithyRpcV2CborProtocol } from "@smithy/core/cbor";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endpointConfig } from "../endpoint-setup.ts";

const StreamName = "kinesis-test";
const http2 = new KinesisClient(endpointConfig());
const http1 = new KinesisClient({ ...endpointConfig(), requestHandler: new NodeHttpHandler() });

beforeAll(async () => {
  await http2.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
  await waitUntilStreamExists({ client: http2, maxWaitTime: 10, minDelay: 1, maxDelay: 1 }, { StreamName });
});

afterAll(async () => {
  await http2.send(new DeleteStreamCommand({ StreamName }));
});

async function readOnce(client: KinesisClient, ShardId: string) {
  const position = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" as const };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
  return client.send(new GetRecordsCommand({ ShardIterator }));
}

describe("Kinesis through the gateway", () => {
  test("the SDK's default client (HTTP/2) and one that speaks HTTP/1.1 see the same records", async () => {
    const Data = new TextEncoder().encode("hello");
    await http2.send(new PutRecordCommand({ StreamName, PartitionKey: "a", Data }));
    await http1.send(new PutRecordCommand({ StreamName, PartitionKey: "b", Data }));
    for (const client of [http2, http1]) {
      const { Records } = await readOnce(client, "shardId-000000000000");
      expect(Records?.map((record) => record.PartitionKey)).toEqual(["a", "b"]);
    }
  });

  test("a client of the Smithy RPC v2 CBOR protocol, which names the operation in the path, is understood", async () => {
    const protocol = new SmithyRpcV2CborProtocol({
      defaultNamespace: "com.amazonaws.kinesis",
      errorTypeRegistries: [],
    });
    const client = new KinesisClient({ ...endpointConfig(), protocol });
    const { Shards } = await client.send(new ListShardsCommand({ StreamName }));
    expect(Shards?.map((shard) => shard.ShardId)).toEqual(["shardId-000000000000"]);
  });

  test("a split parent stays readable to its end, which names the children", async () => {
    const NewStartingHashKey = (2n ** 127n).toString();
    const ShardToSplit = "shardId-000000000000";
    await http2.send(new SplitShardCommand({ StreamName, ShardToSplit, NewStartingHashKey }));
    await waitUntilStreamExists({ client: http2, maxWaitTime: 10, minDelay: 1, maxDelay: 1 }, { StreamName });
    const end = await readOnce(http2, ShardToSplit);
    expect(end.Records?.map((record) => record.PartitionKey)).toEqual(["a", "b"]);
    const last = end.NextShardIterator
      ? await http2.send(new GetRecordsCommand({ ShardIterator: end.NextShardIterator }))
      : end;
    expect(last.NextShardIterator).toBeUndefined();
    expect(last.ChildShards?.map((child) => child.ShardId)).toEqual([
      "shardId-000000000001",
      "shardId-000000000002",
    ]);
  });
});
