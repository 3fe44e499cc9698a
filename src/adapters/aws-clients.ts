/**
 * The SDK's clients, set up for an engine that has its own deadlines: HTTP/1.1 with keep-alive (the SDK's Kinesis
 * client would speak HTTP/2, where all reads share one connection and one stall), time-outs that are errors, and few
 * retries. The user agent's `app/<id>` is the SDK's own setting: AWS_SDK_UA_APP_ID.
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

/** Requests under way per client; more wait for a socket. A worker reads dozens of shards, each a short call. */
const MAX_SOCKETS = 64;
const CONNECTION_TIMEOUT_MILLIS = 2_000;

/** One read answers in well under a second; a reader that hangs longer is better off with a new connection. */
const KINESIS_TIMEOUT_MILLIS = 5_000;
const CLOUDWATCH_TIMEOUT_MILLIS = 10_000;

/**
 * A call to the lease table must be over, its second try included, early enough for the engine to decide again
 * before the lease it is about expires: two tries of a fifth of the failover time. At least 800 ms, or a slow moment
 * of the endpoint would count as a failure; at most 5 s, because DynamoDB answers in milliseconds.
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
  // It copies every answer, record by record, for a logger that does nothing: a tenth of what reading a record costs.
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
  // The SDK tells every process that its later versions want a newer Node; ours is pinned. Its own switch:
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
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
    socketTimeout: timeoutMillis, // and while it goes on
  });
}
