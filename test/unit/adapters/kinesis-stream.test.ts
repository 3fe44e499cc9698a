import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { kinesisClient } from "../../../src/adapters/aws-clients.ts";
import { kinesisStream } from "../../../src/adapters/kinesis/stream.ts";
import { type Stream, StreamError } from "../../../src/ports/stream.ts";
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

  const errorFrom = async (call: Promise<unknown>): Promise<unknown> => {
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
    ["unauthenticated", failure("UnrecognizedClientException")],
    ["expired-credentials", failure("ExpiredTokenException")],
    ["encryption", failure("KMSAccessDeniedException")],
    ["denied", { status: 403, text: "<html>a gateway's page</html>" }],
    ["throttled", { status: 429, text: "{}" }],
    ["unavailable", { status: 502, text: "<html>a balancer's page</html>" }],
    ["malformed-answer", { text: "<html>a proxy's page</html>" }],
    ["unavailable", failure("InternalFailure", 500)],
    ["unavailable", { cut: true }],
  ])("calls it %s, after one try: the reader knows what to do next", async (problem, given) => {
    answer = () => given;
    expect(await errorFrom(byName.read("iterator", 10))).toBe(problem);
    expect(server.calls).toHaveLength(1);
  });

  const RECORD = { Data: "eA==", PartitionKey: "k", SequenceNumber: "1", ApproximateArrivalTimestamp: 1.5 };
  const READ = { Records: [RECORD], NextShardIterator: "y", MillisBehindLatest: 0 };
  const { NextShardIterator: _, ...END } = READ;
  const CHILD = {
    ShardId: "shard-2",
    ParentShards: ["shard-1"],
    HashKeyRange: { StartingHashKey: "0", EndingHashKey: "9" },
  };

  describe("doubts an answer of GetRecords", () => {
    it.each<[string, object]>([
      ["that is empty", {}],
      ["without Records", { NextShardIterator: "y", MillisBehindLatest: 0 }],
      ["whose Records are none", { ...READ, Records: 5 }],
      ["without MillisBehindLatest", { Records: [], NextShardIterator: "y" }],
      ["whose MillisBehindLatest is no number", { ...READ, MillisBehindLatest: "soon" }],
      ["with a record that is null", { ...READ, Records: [RECORD, null] }],
      ["with a record without Data", { ...READ, Records: [{ ...RECORD, Data: undefined }] }],
      ["with a record without PartitionKey", { ...READ, Records: [{ ...RECORD, PartitionKey: undefined }] }],
      ["with a record without SequenceNumber", { ...READ, Records: [{ ...RECORD, SequenceNumber: "" }] }],
      ["with a child without an id", { ...END, ChildShards: [{ ...CHILD, ShardId: undefined }] }],
      ["with a child without a hash range", { ...END, ChildShards: [{ ...CHILD, HashKeyRange: undefined }] }],
      [
        "with a child whose hash range is no number",
        { ...END, ChildShards: [{ ...CHILD, HashKeyRange: { StartingHashKey: "a", EndingHashKey: "9" } }] },
      ],
    ])("%s", async (_, body) => {
      answer = () => ({ body });
      expect(await errorFrom(byName.read("x", 10))).toBe("malformed-answer");
    });

    it("that is an empty body", async () => {
      answer = () => ({ text: "" });
      expect(await errorFrom(byName.read("x", 10))).toBe("malformed-answer");
    });
  });

  it("takes records that are odd, but whole: an empty key, no data, no arrival time", async () => {
    answer = () => ({
      body: { ...READ, Records: [{ Data: "", PartitionKey: "", SequenceNumber: "1" }] },
    });
    expect((await byName.read("x", 10)).records).toEqual([
      {
        data: new Uint8Array(),
        partitionKey: "",
        sequenceNumber: "1",
        subSequenceNumber: 0,
        approximateArrivalTimestamp: new Date(0),
      },
    ]);
  });

  it("reads on where an answer has a next iterator and children", async () => {
    answer = () => ({ body: { ...READ, ChildShards: [CHILD] } });
    expect(await byName.read("x", 10)).toMatchObject({ nextIterator: "y", children: undefined });
  });

  it.each<[string, object]>([
    ["that is empty", {}],
    ["without an iterator", { ShardIterator: "" }],
  ])("doubts an answer of GetShardIterator %s", async (_, body) => {
    answer = () => ({ body });
    expect(await errorFrom(byName.iterator("shard-1", { kind: "latest" }))).toBe("malformed-answer");
  });

  const SHARD = {
    ShardId: "shard-1",
    HashKeyRange: { StartingHashKey: "0", EndingHashKey: "9" },
    SequenceNumberRange: { StartingSequenceNumber: "1" },
  };

  it.each<[string, object]>([
    ["that is empty", {}],
    ["with a shard that is null", { Shards: [null] }],
    ["with a shard without an id", { Shards: [{ ...SHARD, ShardId: undefined }] }],
    ["with a shard without a hash range", { Shards: [{ ...SHARD, HashKeyRange: {} }] }],
    ["with a shard without sequence numbers", { Shards: [{ ...SHARD, SequenceNumberRange: undefined }] }],
  ])("doubts an answer of ListShards %s", async (_, body) => {
    answer = () => ({ body });
    expect(await errorFrom(byName.listShards())).toBe("malformed-answer");
  });

  it("doubts a listing whose second page is empty: half a stream is none", async () => {
    answer = (_call, before) => ({ body: before === 0 ? { Shards: [SHARD], NextToken: "t" } : {} });
    expect(await errorFrom(byName.listShards())).toBe("malformed-answer");
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
    answer = () => ({ body: { ShardIterator: "x", Shards: [SHARD], ...READ } });
    await byArn.listShards();
    await byArn.iterator("shard-1", { kind: "latest" });
    await byArn.read("x", 10);
    expect(server.calls.map((call) => call.body.StreamARN)).toEqual([STREAM_ARN, STREAM_ARN, STREAM_ARN]);
    expect(server.calls.map((call) => call.body.StreamName)).toEqual([undefined, undefined, undefined]);
  });

  it.each([{ ChildShards: [] }, { ChildShards: null }, {}])(
    "takes %j for: does not say",
    async (children) => {
      answer = () => ({ body: { Records: [], NextShardIterator: null, MillisBehindLatest: 0, ...children } });
      expect(await byName.read("x", 10)).toEqual({
        records: [],
        nextIterator: undefined,
        children: undefined,
        millisBehindLatest: 0,
      });
    },
  );

  it("keeps one connection for calls that follow each other", async () => {
    answer = () => ({ body: READ });
    for (let call = 0; call < 5; call++) await byName.read("x", 10);
    expect(server.connections()).toBe(1);
  });

  it("says who calls, as AWS_SDK_UA_APP_ID names it", async () => {
    vi.stubEnv("AWS_SDK_UA_APP_ID", "consumer");
    const client = kinesisClient({ region: "us-east-1", endpoint: server.url });
    answer = () => ({ body: { Shards: [SHARD] } });
    await kinesisStream({ client, streamName: "orders" }).listShards();
    client.destroy();
    expect(server.calls[0]?.headers["user-agent"]).toContain("app/consumer");
  });
});
