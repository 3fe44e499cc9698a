import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { kinesisClient } from "../../../services/consumer/adapters/aws-clients.ts";
import { kinesisStream } from "../../../services/consumer/adapters/kinesis-stream.ts";
import { type Stream, StreamError } from "../../../services/consumer/ports/stream.ts";
import { type Answer, type AnsweringServer, type Call, failure, startAnswering } from "./answering-server.ts";

const STREAM_ARN = "arn:aws:kinesis:us-east-1:111122223333:stream/orders";

describe("the Kinesis adapter", () => {
  let server: AnsweringServer;
  let byName: Stream;
  let byArn: Stream;
  let answer: (call: Call, before: number) => Answer;

  beforeEach(async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
    server = await startAnswering((call, before) => answer(call, before));
    const client = kinesisClient({ region: "us-east-1", endpoint: server.url });
    byName = kinesisStream({ client, streamName: "orders" });
    byArn = kinesisStream({ client, streamArn: STREAM_ARN });
    return async () => {
      client.destroy();
      await server.close();
    };
  });
  afterEach(() => vi.unstubAllEnvs());

  const problemOf = async (call: Promise<unknown>): Promise<unknown> => {
    const error = await call.catch((caught: unknown) => caught);
    return error instanceof StreamError ? error.problem : error;
  };

  it.each<[string, Answer]>([
    ["throttled", failure("ProvisionedThroughputExceededException")],
    ["throttled", failure("LimitExceededException")],
    ["encryption", failure("KMSThrottlingException")],
    ["expired-iterator", failure("ExpiredIteratorException")],
    ["not-found", failure("ResourceNotFoundException")],
    ["invalid", failure("InvalidArgumentException")],
    ["denied", failure("AccessDeniedException")],
    ["unavailable", failure("InternalFailure", 500)],
    ["unavailable", { cut: true }],
  ])("calls it %s, after one try: the reader knows what to do next", async (problem, given) => {
    answer = () => given;
    expect(await problemOf(byName.read("iterator", 10))).toBe(problem);
    expect(server.calls).toHaveLength(1);
  });

  it("lists every page of shards, naming the stream on the first only", async () => {
    const shard = (id: string) => ({
      ShardId: id,
      HashKeyRange: { StartingHashKey: "0", EndingHashKey: "9" },
      SequenceNumberRange: { StartingSequenceNumber: "1" },
    });
    answer = (_call, before) => ({
      body: { Shards: [shard(`shard-${before}`)], ...(before % 3 < 2 && { NextToken: `token-${before}` }) },
    });
    const shards = await byName.listShards();
    expect(shards.map((one) => one.shardId)).toEqual(["shard-0", "shard-1", "shard-2"]);
    expect(server.calls.map((call) => call.body)).toEqual([
      { StreamName: "orders" },
      { NextToken: "token-0" },
      { NextToken: "token-1" },
    ]);
  });

  it("knows a stream by its ARN in every call", async () => {
    answer = () => ({ body: { ShardIterator: "x", Records: [], Shards: [] } });
    await byArn.listShards();
    await byArn.iterator("shard-1", { kind: "latest" });
    await byArn.read("x", 10);
    expect(server.calls.map((call) => call.body.StreamARN)).toEqual([STREAM_ARN, STREAM_ARN, STREAM_ARN]);
    expect(server.calls.map((call) => call.body.StreamName)).toEqual([undefined, undefined, undefined]);
  });

  it.each([{ ChildShards: [] }, { ChildShards: null }, {}])(
    "takes %j for: does not say",
    async (children) => {
      answer = () => ({ body: { Records: [], NextShardIterator: null, ...children } });
      expect(await byName.read("x", 10)).toEqual({
        records: [],
        nextIterator: undefined,
        children: undefined,
        millisBehindLatest: 0,
      });
    },
  );

  it("keeps one connection for calls that follow each other", async () => {
    answer = () => ({ body: { Records: [], NextShardIterator: "y" } });
    for (let call = 0; call < 5; call++) await byName.read("x", 10);
    expect(server.connections()).toBe(1);
  });

  it("says who calls, as AWS_SDK_UA_APP_ID names it", async () => {
    vi.stubEnv("AWS_SDK_UA_APP_ID", "consumer");
    const client = kinesisClient({ region: "us-east-1", endpoint: server.url });
    answer = () => ({ body: { Shards: [] } });
    await kinesisStream({ client, streamName: "orders" }).listShards();
    client.destroy();
    expect(server.calls[0]?.headers["user-agent"]).toContain("app/consumer");
  });
});
