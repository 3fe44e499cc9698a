/** What each role of the synthesized stack may do, by the services' names; `grants.json` argues for what no test sees used. */
import { readFileSync } from "node:fs";
import { inProject } from "../../lab/project.ts";

export interface Grant {
  /** Whose: a service's own role, or that of the AWS service that runs it. */
  readonly role: string;
  /** `kinesis:GetRecords` */
  readonly action: string;
  /** The resource's logical id, or `*`. */
  readonly resource: string;
  readonly condition: string | undefined;
}

/** Role and action → why it is granted although it is not seen. */
export type Arguments = Readonly<Record<string, Readonly<Record<string, string>>>>;
export const ARGUED: Arguments = JSON.parse(readFileSync(inProject("test/infra/grants.json"), "utf8"));

/** By the role's logical id without CDK's hash. The names of services are those that the gateway counts their calls under. */
const ROLES: Readonly<Record<string, string>> = {
  ConsumersFleetTaskTaskRole: "consumer",
  ConsumersFleetTaskExecutionRole: "ECS, for the consumer",
  ProducerFleetTaskTaskRole: "producer",
  ProducerFleetTaskExecutionRole: "ECS, for the producer",
  ResharderRole: "resharder",
  ConsumersInitialTasksRole: "initial-task-count",
  RebalanceStateMachineRole: "state machine",
};

// biome-ignore lint/suspicious/noExplicitAny: a CloudFormation template, read in one place.
type Template = any;

/** Throws for whatever could grant more than is listed here: an unknown role, a managed policy, a wildcard, a NotAction. */
export function grantsOf(template: Template): Grant[] {
  const grants: Grant[] = [];
  for (const [id, { Type, Properties }] of Object.entries<Template>(template.Resources)) {
    if (Type === "AWS::IAM::Role") {
      roleName(id);
      if (Properties.ManagedPolicyArns !== undefined || Properties.Policies !== undefined)
        throw new Error(`${id} has policies of its own or managed ones; expected statements in a policy`);
    }
    if (Type === "AWS::IAM::ManagedPolicy" || Type === "AWS::IAM::User")
      throw new Error(`${id} is a ${Type}`);
    if (Type !== "AWS::IAM::Policy") continue;
    for (const { Ref } of Properties.Roles)
      for (const statement of Properties.PolicyDocument.Statement)
        grants.push(...grantsIn(statement, roleName(Ref)));
  }
  return grants;
}

function roleName(id: string): string {
  const name = ROLES[id.replace(/[0-9A-F]{8}$/, "")];
  if (name === undefined)
    throw new Error(`${id} is a role of nothing that is known; name it in test/infra/grants.ts`);
  return name;
}

function grantsIn(statement: Template, role: string): Grant[] {
  const { Effect, Action, Resource, Condition, ...rest } = statement;
  if (Effect !== "Allow" || Object.keys(rest).length > 0)
    throw new Error(`${role} has a statement of an unknown form: ${JSON.stringify(statement)}`);
  return [Action].flat().map((action: string) => {
    if (action.includes("*")) throw new Error(`${role} is granted ${action}; expected single actions`);
    return {
      role,
      action,
      resource: resourceText(Resource),
      condition: Condition && JSON.stringify(Condition),
    };
  });
}

/** The logical ids in it, without CDK's hashes. */
function resourceText(resource: Template): string {
  if (resource === "*") return "*";
  const ids = [...JSON.stringify(resource).matchAll(/"(?:Ref":|Fn::GetAtt":\[)"(\w+?)[0-9A-F]{8}"/g)].map(
    ([, id]) => id,
  );
  return ids.length > 0 ? ids.join(" ") : "the CDK bootstrap's image repository";
}

/** Names that differ between IAM and the gateway's counts (the SDKs' names). */
const SERVICES: Readonly<Record<string, string>> = {
  cloudwatch: "CloudWatch",
  dynamodb: "DynamoDB",
  ecr: "ECR",
  ecs: "ECS",
  kinesis: "Kinesis",
  lambda: "Lambda",
  logs: "CloudWatchLogs",
  xray: "XRay",
};
const OPERATIONS: Readonly<Record<string, readonly string[]>> = {
  "lambda:InvokeFunction": ["Lambda.Invoke"],
  // A transaction has no action of its own: it needs those of its parts.
  "dynamodb:ConditionCheckItem": ["DynamoDB.TransactWriteItems"],
  "dynamodb:DeleteItem": ["DynamoDB.DeleteItem", "DynamoDB.TransactWriteItems"],
  "dynamodb:PutItem": ["DynamoDB.PutItem", "DynamoDB.TransactWriteItems"],
  "dynamodb:UpdateItem": ["DynamoDB.UpdateItem", "DynamoDB.TransactWriteItems"],
};

/** The operations that need this action. */
export function operationsOf(action: string): readonly string[] {
  const [service = "", operation] = action.split(":");
  const name = SERVICES[service];
  if (name === undefined)
    throw new Error(`${action} is of an unknown service; name it in test/infra/grants.ts`);
  return OPERATIONS[action] ?? [`${name}.${operation}`];
}

export interface SeenCall {
  readonly caller: string;
  readonly operation: string;
}

/**
 * One line for every grant without a use or a reason, every use without a grant, and every reason without a grant, or
 * beside a use.
 */
export function differences(
  grants: readonly Grant[],
  seen: readonly SeenCall[],
  argued: Arguments,
): string[] {
  const roles = new Set(grants.map(({ role }) => role));
  const isSeen = (role: string, operation: string) =>
    seen.some((call) => call.caller === role && call.operation === operation);
  const unused = grants
    .filter(({ role, action }) => argued[role]?.[action] === undefined)
    .filter(({ role, action }) => !operationsOf(action).some((operation) => isSeen(role, operation)))
    .map(
      ({ role, action }) =>
        `${role} may ${action}, and never did: take it away, or argue for it in grants.json`,
    );
  const forbidden = seen
    .filter(({ caller }) => roles.has(caller))
    .filter(
      ({ caller, operation }) =>
        !grants.some(({ role, action }) => role === caller && operationsOf(action).includes(operation)),
    )
    .map(({ caller, operation }) => `${caller} did ${operation}, which no statement grants`);
  const needless = seen.flatMap(({ caller, operation }) =>
    Object.keys(argued[caller] ?? {})
      .filter((action) => operationsOf(action).includes(operation))
      .map((action) => `grants.json argues for ${action} of ${caller}, which is seen: delete the reason`),
  );
  return [...new Set([...unused, ...forbidden, ...needless, ...idleReasons(grants, argued)])];
}

/** Reasons for what is not granted any more. */
export function idleReasons(grants: readonly Grant[], argued: Arguments): string[] {
  return Object.entries(argued).flatMap(([role, reasons]) =>
    Object.keys(reasons)
      .filter((action) => !grants.some((grant) => grant.role === role && grant.action === action))
      .map((action) => `grants.json argues for ${action} of ${role}, which is not granted`),
  );
}

/** docs/roles.md. */
export function rolesPage(grants: readonly Grant[], argued: Arguments): string {
  const rows = grants.map(({ role, action, resource, condition }) => {
    const where = condition === undefined ? resource : `${resource}, where \`${condition}\``;
    return `| ${role} | \`${action}\` | ${where} | ${argued[role]?.[action] ?? "seen"} |`;
  });
  return `# Roles

What the stack's roles grant on AWS, from the synthesized template. "Seen": the service makes the call in the end-to-end
test, which fails when a service may do what it never did, or did what it may not. Other reasons are in
\`test/infra/grants.json\`. Written by \`npx vitest run --project unit test/infra/grants.test.ts -u\`.

| role | may | on | because |
|---|---|---|---|
${rows.join("\n")}
`;
}
