/** The stream in Kinesis (`ports/stream.ts`). */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type KinesisClient,
  ListShardsCommand,
} from "@aws-sdk/client-kinesis";
import { type ErrorClass, errorClassOf } from "../../core/error-class.ts";
import { type Position, type Shard, type Stream, StreamError } from "../../ports/stream.ts";
import { describeError } from "../error-text.ts";
import { listedShards, readResult, shardIterator } from "./answers.ts";

export type StreamReference = { readonly streamName: string } | { readonly streamArn: string };
export type KinesisStreamOptions = { readonly client: KinesisClient } & StreamReference;

export function kinesisStream(options: KinesisStreamOptions): Stream {
  const { client } = options;
  const byArn = "streamArn" in options;
  const reference = byArn ? { StreamARN: options.streamArn } : { StreamName: options.streamName };
  const arn = byArn ? { StreamARN: options.streamArn } : {};
  const streamId = byArn ? options.streamArn : options.streamName;

  const problem = (error: unknown, operation: string) =>
    streamErrorOf(error, `${operation} of stream ${streamId}`);

  return {
    async listShards() {
      const shards: Shard[] = [];
      let token: string | undefined;
      do {
        try {
          // A page's token identifies the stream: Kinesis refuses both together.
          const page = await client.send(
            new ListShardsCommand(token === undefined ? reference : { NextToken: token }),
          );
          shards.push(...listedShards(page));
          token = page.NextToken || undefined;
        } catch (error) {
          throw problem(error, "ListShards");
        }
      } while (token !== undefined);
      return shards;
    },

    async iterator(shardId, position) {
      const input = { ...reference, ShardId: shardId, ...iteratorStart(position) };
      try {
        return shardIterator(await client.send(new GetShardIteratorCommand(input)));
      } catch (error) {
        throw problem(error, `GetShardIterator (${shardId})`);
      }
    },

    async read(iterator, maxRecords) {
      try {
        return readResult(
          await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: maxRecords, ...arn })),
        );
      } catch (error) {
        throw problem(error, "GetRecords");
      }
    },
  };
}

type IteratorStart = Pick<
  GetShardIteratorCommandInput,
  "ShardIteratorType" | "Timestamp" | "StartingSequenceNumber"
>;

function iteratorStart(position: Position): IteratorStart {
  switch (position.kind) {
    case "trim-horizon":
      return { ShardIteratorType: "TRIM_HORIZON" };
    case "latest":
      return { ShardIteratorType: "LATEST" };
    case "at-timestamp":
      return { ShardIteratorType: "AT_TIMESTAMP", Timestamp: position.timestamp };
    case "at-sequence-number":
      return { ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: position.sequenceNumber };
    case "after-sequence-number":
      return { ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber: position.sequenceNumber };
  }
}

export function streamErrorOf(error: unknown, operation: string): StreamError {
  if (error instanceof StreamError) {
    return new StreamError(error.problem, `${operation}: ${error.message}`, { cause: error });
  }
  const { name, text } = describeError(error);
  const problem = name === "ExpiredIteratorException" ? "expired-iterator" : classOf(error, name);
  return new StreamError(problem, `${operation} failed: ${text}`, { cause: error });
}

/** Gateways and proxies refuse with their own status and error name. */
const BY_STATUS: Readonly<Record<number, ErrorClass>> = {
  401: "unauthenticated",
  403: "denied",
  407: "unauthenticated",
  429: "throttled",
};

function classOf(error: unknown, name: string): ErrorClass {
  const byName = errorClassOf(name);
  if (byName !== "unavailable") return byName;
  const { $metadata } = (error ?? {}) as { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode ?? 0;
  // The SDK parsed an answer that is not JSON: a page of a proxy.
  if (status === 200 && error instanceof SyntaxError) return "malformed-answer";
  return BY_STATUS[status] ?? "unavailable";
}
