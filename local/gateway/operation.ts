/**
 * Names a request as the gateway's counters and faults do: `<Service>.<Operation>`, e.g.
 * `DynamoDB.UpdateItem`.
 */

/**
 * Maps the first part of X-Amz-Target (without its version), or the signing name, to the SDK's service name.
 */
const SERVICE_NAMES: Record<string, string> = {
  AmazonEC2ContainerServiceV: "ECS",
  AmazonSSM: "SSM",
  AWSEvents: "EventBridge",
  AWSStepFunctions: "SFN",
  DynamoDB: "DynamoDB",
  DynamoDBStreams: "DynamoDBStreams",
  GraniteServiceVersion: "CloudWatch",
  Kinesis: "Kinesis",
  Logs: "CloudWatchLogs",
  TrentService: "KMS",
  AmazonEC2ContainerRegistry_V: "ECR",
  cloudformation: "CloudFormation",
  ec2: "EC2",
  ecr: "ECR",
  ecs: "ECS",
  events: "EventBridge",
  iam: "IAM",
  lambda: "Lambda",
  logs: "CloudWatchLogs",
  monitoring: "CloudWatch",
  s3: "S3",
  ssm: "SSM",
  states: "SFN",
  sts: "STS",
};

export interface RequestShape {
  method: string;
  /** Path with query. */
  url: string;
  headers: NodeJS.Dict<string | string[]>;
}

/** A header's value, or "" if it is absent. */
export function header({ headers }: Pick<RequestShape, "headers">, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? (value[0] ?? "") : (value ?? "");
}

/** True if the operation's name is in the body (the query protocol of CloudFormation, STS, IAM, EC2 …). */
export function namedInBody(request: RequestShape): boolean {
  return (
    request.method === "POST" &&
    header(request, "content-type").startsWith("application/x-www-form-urlencoded")
  );
}

const RPC_PATH = /^\/service\/([^/]+)\/operation\/([A-Za-z0-9]+)/;

/**
 * Tries each AWS protocol: JSON's X-Amz-Target, Smithy RPC's path, the query protocol's Action, REST's
 * method.
 */
export function operationOf(request: RequestShape, body: Buffer | undefined): string {
  const target = header(request, "x-amz-target");
  const dot = target.lastIndexOf(".");
  if (dot > 0) return `${serviceOf(target.slice(0, dot))}.${target.slice(dot + 1)}`;
  const rpc = RPC_PATH.exec(request.url);
  if (rpc) return `${serviceOf(rpc[1]!)}.${rpc[2]}`;
  const service = serviceOf(signingName(header(request, "authorization")));
  const form = namedInBody(request) ? body?.toString("latin1") : request.url.split("?")[1];
  const action = new URLSearchParams(form).get("Action");
  if (action) return `${service}.${action}`;
  if (service === "Lambda" && /\/invocations$/.test(request.url.split("?")[0]!)) return "Lambda.Invoke";
  return `${service}.${request.method}`;
}

function serviceOf(name: string): string {
  const bare = name.replace(/_?\d+$/, "");
  return SERVICE_NAMES[bare] ?? (bare === "" ? "Unsigned" : bare);
}

/** The service in the credential scope of a SigV4 signature: `…/us-east-1/<service>/aws4_request`. */
function signingName(authorization: string): string {
  return /Credential=[^/]+\/\d{8}\/[^/]+\/([^/]+)\/aws4_request/.exec(authorization)?.[1] ?? "";
}

/**
 * The caller: the `app/<id>` part of the user agent, which the SDK takes from AWS_SDK_UA_APP_ID. "other" if
 * absent.
 */
export function callerOf(request: RequestShape): string {
  const agent = `${header(request, "user-agent")} ${header(request, "x-amz-user-agent")}`;
  return /(?:^|\s)app\/([^\s/]+)/.exec(agent)?.[1] ?? "other";
}
