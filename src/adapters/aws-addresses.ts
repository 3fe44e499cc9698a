/**
 * Checks the options that AWS has rules for, before the first call. Without this check, an ARN in place of a
 * name, or an empty name from an unset variable, would be found only by calls that fail, or not at all.
 */
export interface AddressOptions {
  readonly applicationName: unknown;
  readonly streamName?: unknown;
  readonly streamArn?: unknown;
  readonly leaseTableName?: unknown;
  readonly region?: unknown;
  readonly endpoint?: unknown;
  readonly clients?: unknown;
}

export interface WrongAddress {
  readonly option: string;
  readonly value: unknown;
  readonly expected: string;
}

const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
const STREAM_ARN = /^arn:aws[a-z0-9-]*:kinesis:[a-z0-9-]+:\d{12}:stream\/[a-zA-Z0-9_.-]{1,128}$/;
const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/;
/** What the SDK accepts: a label of a host name. Test endpoints use "local". */
const REGION = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const AVAILABILITY_ZONE = /^([a-z]{2}-[a-z-]+-\d)[a-z]$/;
const CLIENTS = ["kinesis", "dynamodb", "cloudwatch"];

const CHARACTERS = "letters, digits, '_', '.' and '-'";
const is = (value: unknown, pattern: RegExp): boolean => typeof value === "string" && pattern.test(value);
const isArn = (value: unknown): boolean => is(value, /^arn:/);
const orUnset = (value: unknown): string =>
  is(value, /^\s*$/) ? "; it is empty: is the variable that it comes from set?" : "";

/** The first option with a value that cannot be valid. */
export function wrongAddress(options: AddressOptions): WrongAddress | undefined {
  const { applicationName, streamName, streamArn, leaseTableName, region, endpoint, clients } = options;
  if (streamName !== undefined && !is(streamName, STREAM_NAME)) {
    const remedy = isArn(streamName) ? "; an ARN is given as streamArn" : orUnset(streamName);
    const expected = `the name of a stream, 1 to 128 ${CHARACTERS}${remedy}`;
    return { option: "streamName", value: streamName, expected };
  }
  if (streamArn !== undefined && !is(streamArn, STREAM_ARN)) {
    const remedy = is(streamArn, STREAM_NAME) ? "; a name is given as streamName" : orUnset(streamArn);
    const expected = `arn:aws:kinesis:<region>:<account of 12 digits>:stream/<name>${remedy}`;
    return { option: "streamArn", value: streamArn, expected };
  }
  if (leaseTableName !== undefined && !is(leaseTableName, TABLE_NAME)) {
    const remedy = isArn(leaseTableName) ? "; an ARN is not taken here" : orUnset(leaseTableName);
    const expected = `the name of a DynamoDB table, 3 to 255 ${CHARACTERS}${remedy}`;
    return { option: "leaseTableName", value: leaseTableName, expected };
  }
  if (leaseTableName === undefined && !is(applicationName, TABLE_NAME)) {
    const expected = `3 to 255 ${CHARACTERS}: it names the lease table, unless leaseTableName does${orUnset(applicationName)}`;
    return { option: "applicationName", value: applicationName, expected };
  }
  if (region !== undefined && (!is(region, REGION) || is(region, AVAILABILITY_ZONE))) {
    const zone = typeof region === "string" ? AVAILABILITY_ZONE.exec(region)?.[1] : undefined;
    const remedy = zone === undefined ? orUnset(region) : `; this is an availability zone of ${zone}`;
    return { option: "region", value: region, expected: `a region such as "eu-west-1"${remedy}` };
  }
  return wrongEndpoint(endpoint) ?? wrongClients(clients);
}

function wrongEndpoint(endpoint: unknown): WrongAddress | undefined {
  if (endpoint === undefined) return undefined;
  const url = typeof endpoint === "string" && URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  const hasCredentials = url !== undefined && (url.username !== "" || url.password !== "");
  if (isHttp && !hasCredentials && url.search === "" && url.hash === "") return undefined;
  const value = hasCredentials ? `${url.protocol}//…@${url.host}` : endpoint;
  const expected = `a URL such as "http://localhost:4566", without credentials or a query${orUnset(endpoint)}`;
  return { option: "endpoint", value, expected };
}

function wrongClients(clients: unknown): WrongAddress | undefined {
  if (clients === undefined) return undefined;
  const expected = "{ kinesis, dynamodb, cloudwatch }, each optional and a client of the AWS SDK v3";
  if (typeof clients !== "object" || clients === null) return { option: "clients", value: clients, expected };
  const wrong = Object.entries(clients).find(
    ([name, client]) => !CLIENTS.includes(name) || (client !== undefined && !canSend(client)),
  );
  if (wrong === undefined) return undefined;
  // The value itself may contain credentials.
  const [name, client] = wrong;
  return { option: `clients.${name}`, value: typeof client, expected };
}

/** By shape, not by class: the client may come from another copy of the SDK. */
const canSend = (client: unknown): boolean =>
  typeof client === "object" && client !== null && "send" in client && typeof client.send === "function";
