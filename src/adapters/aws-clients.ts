/**
 * The SDK's clients, configured for an engine that has its own deadlines: HTTP/1.1 with keep-alive, time-outs
 * that are errors, and few retries. The SDK's Kinesis client would use HTTP/2 by default, where all reads
 * share one connection and one stall. The user agent's `app/<id>` is the SDK's own setting:
 * AWS_SDK_UA_APP_ID.
 */
import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";

export interface AwsClientSettings {
  /** Default: what the SDK finds (AWS_REGION, the profile). */
  readonly region?: string | undefined;
  /** Default: AWS_ENDPOINT_URL and its relatives, else AWS. */
  readonly endpoint?: string | undefined;
}

/**
 * Requests in flight per client; further ones wait for a socket. A worker reads dozens of shards, each with
 * short calls.
 */
const MAX_SOCKETS = 64;
const CONNECTION_TIMEOUT_MILLIS = 2_000;

/** One read answers in well under a second. If a read hangs longer, a new connection is better. */
const KINESIS_TIMEOUT_MILLIS = 5_000;
const CLOUDWATCH_TIMEOUT_MILLIS = 10_000;

/**
 * A call to the lease table, its second try included, must end early enough for the engine to decide again
 * before the lease expires: two tries of a fifth of the failover time. At least 800 ms, or a slow moment of
 * the endpoint would count as a failure. At most 5 s, because DynamoDB answers in milliseconds.
 */
const DYNAMODB_ATTEMPTS = 2;
export const dynamoDbTimeoutMillis = (failoverTimeMillis: number): number =>
  Math.min(5_000, Math.max(800, failoverTimeMillis / 5));

/** One try: the reader retries with its own backoff, and knows when it needs another iterator instead. */
const KINESIS_ATTEMPTS = 1;

export function kinesisClient(settings: AwsClientSettings): KinesisClient {
  const client = new KinesisClient({
    ...common(settings),
    maxAttempts: KINESIS_ATTEMPTS,
    requestHandler: handler(KINESIS_TIMEOUT_MILLIS),
  });
  // It copies every answer, record by record, for a logger that does nothing: a tenth of the cost of reading
  // a record.
  client.middlewareStack.remove("loggerMiddleware");
  return client;
}

/** `failoverTimeMillis`: the leases' (see `dynamoDbTimeoutMillis`). */
export function dynamoDbClient(
  settings: AwsClientSettings & { readonly failoverTimeMillis: number },
): DynamoDBClient {
  return new DynamoDBClient({
    ...common(settings),
    maxAttempts: DYNAMODB_ATTEMPTS,
    requestHandler: handler(dynamoDbTimeoutMillis(settings.failoverTimeMillis)),
  });
}

export function cloudWatchClient(settings: AwsClientSettings): CloudWatchClient {
  return new CloudWatchClient({ ...common(settings), requestHandler: handler(CLOUDWATCH_TIMEOUT_MILLIS) });
}

function common({ region, endpoint }: AwsClientSettings) {
  return {
    retryMode: "standard",
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
  };
}

function handler(timeoutMillis: number): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_SOCKETS };
  return new NodeHttpHandler({
    httpAgent: agent,
    httpsAgent: agent,
    connectionTimeout: Math.min(CONNECTION_TIMEOUT_MILLIS, timeoutMillis),
    requestTimeout: timeoutMillis, // until the answer begins …
    throwOnRequestTimeout: true, // … which is otherwise only a warning
    socketTimeout: timeoutMillis, // and while the answer continues
  });
}
