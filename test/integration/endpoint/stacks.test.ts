import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  waitUntilStackCreateComplete,
  waitUntilStackDeleteComplete,
} from "@aws-sdk/client-cloudformation";
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  ListStreamsCommand,
  SplitShardCommand,
  waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";
import { describe, expect, test } from "vitest";
import { endpointConfig } from "../endpoint-setup.ts";

const cloudFormation = new CloudFormationClient(endpointConfig());
const kinesis = new KinesisClient(endpointConfig());
const StackName = "stream-test";
const StreamName = "made-by-a-stack";
const wait = { client: cloudFormation, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };

async function deploy(ShardCount: number): Promise<void> {
  const Stream = { Type: "AWS::Kinesis::Stream", Properties: { Name: StreamName, ShardCount } };
  const TemplateBody = JSON.stringify({ Resources: { Stream } });
  await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody }));
  await waitUntilStackCreateComplete(wait, { StackName });
}

async function destroy(): Promise<void> {
  await cloudFormation.send(new DeleteStackCommand({ StackName }));
  await waitUntilStackDeleteComplete(wait, { StackName });
}

const shardIds = async () =>
  (await kinesis.send(new ListShardsCommand({ StreamName }))).Shards?.map((shard) => shard.ShardId);
const streamNames = async () => (await kinesis.send(new ListStreamsCommand({}))).StreamNames;

describe("a stream of a stack", () => {
  test("appears when named, goes with the stack, and comes back new with the next", async () => {
    await deploy(2);
    expect(await shardIds()).toHaveLength(2);
    const ShardToSplit = "shardId-000000000000";
    await kinesis.send(new SplitShardCommand({ StreamName, ShardToSplit, NewStartingHashKey: "1000" }));
    await waitUntilStreamExists(
      { client: kinesis, maxWaitTime: 10, minDelay: 1, maxDelay: 1 },
      { StreamName },
    );
    expect(await shardIds()).toHaveLength(4);

    await destroy();
    await expect(kinesis.send(new DescribeStreamSummaryCommand({ StreamName }))).rejects.toMatchObject({
      name: "ResourceNotFoundException",
    });

    await deploy(3);
    expect(await shardIds()).toEqual([
      "shardId-000000000000",
      "shardId-000000000001",
      "shardId-000000000002",
    ]);
    expect(await streamNames()).toContain(StreamName);
    await destroy();
    expect(await streamNames()).not.toContain(StreamName);
  });
});
