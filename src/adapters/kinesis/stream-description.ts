/** Calls DescribeStreamSummary: the identity of the stream, and a setting that voids the order per key. */
import { DescribeStreamSummaryCommand, type KinesisClient } from "@aws-sdk/client-kinesis";
import type { StreamDescription } from "../../ports/stream.ts";
import { StreamError } from "../../ports/stream.ts";
import { type StreamReference, streamErrorOf } from "./stream.ts";

export function describeStream(
  client: KinesisClient,
  stream: StreamReference,
): () => Promise<StreamDescription> {
  const [reference, name] =
    "streamArn" in stream
      ? [{ StreamARN: stream.streamArn }, stream.streamArn]
      : [{ StreamName: stream.streamName }, stream.streamName];
  const operation = `DescribeStreamSummary of stream ${name}`;
  return async () => {
    try {
      const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand(reference));
      const { StreamARN, StreamCreationTimestamp, RecordDistributionStrategy } =
        StreamDescriptionSummary ?? {};
      if (!StreamARN || StreamCreationTimestamp === undefined)
        throw new StreamError("malformed-answer", `${operation}: the answer names no ARN or creation time`);
      return {
        identity: { arn: StreamARN, createdMillis: StreamCreationTimestamp.getTime() },
        keepsOrderPerKey: RecordDistributionStrategy !== "AUTO",
      };
    } catch (error) {
      throw streamErrorOf(error, operation);
    }
  };
}
