/** One PutRecords call and the outcome of its records. */
import { type KinesisClient, PutRecordsCommand } from "@aws-sdk/client-kinesis";
import type { CountedRecord } from "../contract/history.ts";

export type RecordAnswer =
  | { readonly kind: "put"; readonly shardId: string; readonly sequenceNumber: string }
  | { readonly kind: "failed"; readonly code: string };

export type BatchAnswer =
  /** One answer per record, in order. */
  | { readonly kind: "answered"; readonly records: readonly RecordAnswer[] }
  /** No record was put. A later call may succeed. */
  | { readonly kind: "refused"; readonly problem: string }
  /** Each record may be in the stream, may arrive later, or neither. */
  | { readonly kind: "unknown"; readonly problem: string };

/** Throws `UnusableStream` when no later call can succeed. */
export type PutBatch = (records: readonly CountedRecord[]) => Promise<BatchAnswer>;

/**
 * Kinesis accepts 500 records and 5 MB per call. Records are `{"key","n"}`, under 100 bytes, so only the
 * count limit applies.
 */
export const MAX_RECORDS_PER_CALL = 500;

export class UnusableStream extends Error {
  override readonly name = "UnusableStream";
}

const NON_RETRYABLE: ReadonlySet<string> = new Set([
  "ResourceNotFoundException",
  "AccessDeniedException",
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "ValidationException",
  "InvalidArgumentException",
]);

/** The connection was never made, so the request cannot have arrived. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

export interface KinesisPutBatchProps {
  /**
   * Must have `maxAttempts: 1`. After a lost answer, a retry inside the SDK would put the batch twice without
   * a trace.
   */
  readonly client: KinesisClient;
  readonly streamName: string;
}

export function kinesisPutBatch({ client, streamName }: KinesisPutBatchProps): PutBatch {
  return async (records) => {
    const Records = records.map(({ key, n }) => ({
      PartitionKey: key,
      Data: Buffer.from(JSON.stringify({ key, n })),
    }));
    try {
      const answer = await client.send(new PutRecordsCommand({ StreamName: streamName, Records }));
      const results = answer.Records ?? [];
      if (results.length !== records.length) {
        return {
          kind: "unknown",
          problem: `PutRecords answered ${results.length} results for ${records.length} records`,
        };
      }
      return {
        kind: "answered",
        records: results.map(({ ShardId: shardId, SequenceNumber: sequenceNumber, ErrorCode: code }) =>
          shardId !== undefined && sequenceNumber !== undefined
            ? { kind: "put", shardId, sequenceNumber }
            : { kind: "failed", code: code ?? "no error code" },
        ),
      };
    } catch (error) {
      return afterFailure(error, streamName);
    }
  };
}

/**
 * Maps a failed call to the outcome of its records. Only a client fault, or a connection that was never made,
 * proves that no record was put.
 */
export function afterFailure(error: unknown, streamName: string): BatchAnswer {
  const { name, message, code, $fault } = error as {
    name: string;
    message: string;
    code?: string;
    $fault?: string;
  };
  const problem = `${name}: ${message}`;
  if (NON_RETRYABLE.has(name)) {
    throw new UnusableStream(`cannot put records into stream ${streamName}: ${problem}`, { cause: error });
  }
  if ($fault === "client" || (code !== undefined && NOT_CONNECTED.has(code)))
    return { kind: "refused", problem };
  return { kind: "unknown", problem };
}
