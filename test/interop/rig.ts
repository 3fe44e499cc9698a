/** One endpoint, one stream and one lease table, with all output in one folder. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type AttributeValue,
  DynamoDBClient,
  PutItemCommand,
  paginateScan,
  ResourceNotFoundException,
} from "@aws-sdk/client-dynamodb";
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { type Endpoint, freePorts, portsFromEnvironment, startEndpoint } from "../../local/index.ts";
import { runtimeFolder } from "../../local/settings.ts";
import { systemClock } from "../../src/platform.ts";
import type { Program } from "./programs.ts";

export type Row = Record<string, AttributeValue>;

export interface Rig {
  readonly kclVersion: string;
  readonly endpoint: Endpoint;
  readonly streamName: string;
  readonly tableName: string;
  readonly folder: string;
  readonly historyFolder: string;
  readonly programs: Set<Program>;
  /** Every row of the lease table, as DynamoDB returns it; none before Java has created the table. */
  rows(): Promise<Row[]>;
  put(row: Row): Promise<void>;
  openShards(): Promise<string[]>;
  split(shardId: string): Promise<void>;
  merge(shardId: string, adjacent: string): Promise<void>;
  stop(): Promise<void>;
}

/** Ports: beside EVENKEEL_PORT if set, else free ones. */
export async function startRig(kclVersion: string): Promise<Rig> {
  const folder = join(runtimeFolder(), "interop", kclVersion);
  const historyFolder = join(folder, "history");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(historyFolder, { recursive: true });
  const ports = process.env.EVENKEEL_PORT ? portsFromEnvironment(process.env) : await freePorts();
  const endpoint = await startEndpoint({ ports, announce: false, logFolder: join(folder, "endpoint") });
  const config = {
    endpoint: endpoint.url,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  const kinesis = new KinesisClient(config);
  const dynamodb = new DynamoDBClient(config);
  const StreamName = "interop";
  const tableName = "interop-leases";
  const programs = new Set<Program>();

  const active = () =>
    until("the stream is active", async () => {
      const { StreamDescriptionSummary } = await kinesis.send(
        new DescribeStreamSummaryCommand({ StreamName }),
      );
      return StreamDescriptionSummary?.StreamStatus === "ACTIVE";
    });
  // A dozen shards at most: one page.
  const shards = async () => (await kinesis.send(new ListShardsCommand({ StreamName }))).Shards ?? [];
  await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 4 }));
  await active();

  return {
    kclVersion,
    endpoint,
    streamName: StreamName,
    tableName,
    folder,
    historyFolder,
    programs,
    async rows() {
      const rows: Row[] = [];
      const scan = paginateScan({ client: dynamodb }, { TableName: tableName, ConsistentRead: true });
      try {
        for await (const { Items } of scan) rows.push(...(Items ?? []));
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error; // not created yet
      }
      return rows.toSorted((a, b) => String(a.leaseKey?.S).localeCompare(String(b.leaseKey?.S)));
    },
    async put(row) {
      await dynamodb.send(new PutItemCommand({ TableName: tableName, Item: row }));
    },
    async openShards() {
      const open = (await shards()).filter((s) => s.SequenceNumberRange?.EndingSequenceNumber === undefined);
      return open.map((shard) => shard.ShardId!);
    },
    async split(shardId) {
      const { HashKeyRange } = (await shards()).find((shard) => shard.ShardId === shardId)!;
      const middle = (BigInt(HashKeyRange!.StartingHashKey!) + BigInt(HashKeyRange!.EndingHashKey!)) / 2n;
      const NewStartingHashKey = String(middle);
      await kinesis.send(new SplitShardCommand({ StreamName, ShardToSplit: shardId, NewStartingHashKey }));
      await active();
    },
    async merge(shardId, adjacent) {
      await kinesis.send(
        new MergeShardsCommand({ StreamName, ShardToMerge: shardId, AdjacentShardToMerge: adjacent }),
      );
      await active();
    },
    async stop() {
      for (const program of programs) program.kill();
      await endpoint.stop();
      kinesis.destroy();
      dynamodb.destroy();
    },
  };
}

/** KCL itself waits up to half a minute before it begins, and the machine may be busy with other things. */
const PATIENCE_MILLIS = 240_000;

/** Calls `look` twice a second until it returns a value other than undefined or false. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  patienceMillis = PATIENCE_MILLIS,
): Promise<T> {
  const deadline = systemClock.monotonicMillis() + patienceMillis;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (systemClock.monotonicMillis() > deadline)
      throw new Error(`waited ${patienceMillis / 1_000} s in vain: ${what}`);
    await systemClock.sleep(500);
  }
}
