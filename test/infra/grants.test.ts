/** What the roles grant: docs/roles.md, and the comparison that the end-to-end test makes with what was seen. */
import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { inProject } from "../../lab/project.ts";
import { ARGUED, differences, type Grant, grantsOf, idleReasons, rolesPage } from "./grants.ts";
import { AWS, makeStack } from "./synthesize.ts";

const grants = grantsOf(Template.fromStack(makeStack(AWS).stack).toJSON());

describe("the roles of the stack on AWS", () => {
  it("are listed in docs/roles.md, each action with its reason (`vitest -u` writes it anew)", async () => {
    await expect(rolesPage(grants, ARGUED)).toMatchFileSnapshot(inProject("docs/roles.md"));
  });

  it("grant all that is argued for", () => {
    expect(idleReasons(grants, ARGUED)).toEqual([]);
  });

  it("reach beyond the stack's own resources only where the action knows none", () => {
    const wide = grants
      .filter(({ resource }) => resource === "*")
      .map(({ role, action }) => `${role}: ${action}`);
    expect(
      wide.filter((text) => !/ (logs:\w*(Log(Delivery|Deliveries|Groups)|ResourcePolic)|xray:)/.test(text)),
    ).toEqual([
      "consumer: cloudwatch:PutMetricData",
      "ECS, for the consumer: ecr:GetAuthorizationToken",
      "ECS, for the producer: ecr:GetAuthorizationToken",
    ]);
  });
});

describe("grants and what was seen", () => {
  const grant = (role: string, action: string): Grant => ({
    role,
    action,
    resource: "Stream",
    condition: undefined,
  });
  const call = (caller: string, operation: string) => ({ caller, operation });

  it("that agree are no difference; the calls of others do not count", () => {
    const given = [grant("consumer", "kinesis:ListShards"), grant("state machine", "lambda:InvokeFunction")];
    const seen = [
      call("consumer", "Kinesis.ListShards"),
      call("state machine", "Lambda.Invoke"),
      call("other", "IAM.CreateRole"),
    ];
    expect(differences(given, seen, {})).toEqual([]);
  });

  it("a grant that is not used is one, unless it is argued for", () => {
    const given = [grant("consumer", "kinesis:ListShards")];
    const seen = [call("producer", "Kinesis.ListShards")];
    expect(differences(given, seen, {})).toEqual([
      "consumer may kinesis:ListShards, and never did: take it away, or argue for it in grants.json",
    ]);
    expect(differences(given, seen, { consumer: { "kinesis:ListShards": "a reason" } })).toEqual([]);
  });

  it("a use that is not granted is one", () => {
    const given = [grant("consumer", "dynamodb:Scan")];
    const seen = [call("consumer", "DynamoDB.Scan"), call("consumer", "DynamoDB.Query")];
    expect(differences(given, seen, {})).toEqual(["consumer did DynamoDB.Query, which no statement grants"]);
  });

  it("a transaction needs the action of one of its parts", () => {
    const transaction = [call("consumer", "DynamoDB.TransactWriteItems")];
    expect(differences([grant("consumer", "dynamodb:UpdateItem")], transaction, {})).toEqual([]);
    expect(differences([grant("consumer", "dynamodb:GetItem")], transaction, {})).toHaveLength(2);
  });

  it("a reason without a grant is one, and so is a reason for what is seen", () => {
    const argued = { consumer: { "dynamodb:Scan": "old", "dynamodb:Query": "older" } };
    expect(
      differences([grant("consumer", "dynamodb:Scan")], [call("consumer", "DynamoDB.Scan")], argued),
    ).toEqual([
      "grants.json argues for dynamodb:Scan of consumer, which is seen: delete the reason",
      "grants.json argues for dynamodb:Query of consumer, which is not granted",
    ]);
  });

  it.each([
    [
      "an unknown role",
      { Rogue01234567: { Type: "AWS::IAM::Role", Properties: {} } },
      "Rogue01234567 is a role of nothing",
    ],
    [
      "a managed policy",
      { ResharderRole01234567: { Type: "AWS::IAM::Role", Properties: { ManagedPolicyArns: ["x"] } } },
      "has policies of its own or managed ones",
    ],
    ["a wildcard", policy({ Effect: "Allow", Action: "kinesis:*", Resource: "*" }), "is granted kinesis:*"],
    [
      "all but some",
      policy({ Effect: "Allow", NotAction: "iam:*", Resource: "*" }),
      "a statement of an unknown form",
    ],
    ["a refusal", policy({ Effect: "Deny", Action: "a:B", Resource: "*" }), "a statement of an unknown form"],
  ])("%s cannot be compared, and is refused", (_, resources, message) => {
    expect(() => grantsOf({ Resources: resources })).toThrow(message);
  });
});

function policy(statement: object) {
  const Properties = {
    Roles: [{ Ref: "ResharderRole01234567" }],
    PolicyDocument: { Statement: [statement] },
  };
  return { Policy: { Type: "AWS::IAM::Policy", Properties } };
}
