import { Match, Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { AWS, EMULATED, makeStack } from "./synthesize.ts";

const emulated = Template.fromStack(
  makeStack(EMULATED, { historyDirectory: "/tmp/history", pods: "4", shards: "12" }).stack,
);
const onAws = Template.fromStack(makeStack(AWS).stack);

/** The task definition's only container, and its environment as an object. */
function container(template: Template, name: string) {
  const found = Object.values(template.findResources("AWS::ECS::TaskDefinition"))
    .map((resource) => resource.Properties.ContainerDefinitions[0])
    .find((definition) => definition.Name === name);
  const environment: { Name: string; Value: unknown }[] = found.Environment;
  return { ...found, environment: Object.fromEntries(environment.map(({ Name, Value }) => [Name, Value])) };
}

/** Every statement of the policies whose logical id contains `part`. */
function statements(part: string): { Action: string | string[]; Resource: unknown; Condition?: unknown }[] {
  const policies = Object.entries(onAws.findResources("AWS::IAM::Policy")).filter(([id]) =>
    id.includes(part),
  );
  expect(policies).not.toHaveLength(0);
  return policies.flatMap(([, policy]) => policy.Properties.PolicyDocument.Statement);
}
const actions = (part: string) =>
  statements(part)
    .flatMap(({ Action }) => Action)
    .toSorted();

describe("the stack", () => {
  test("has the outputs of the contract, and those the lab needs", () => {
    expect(Object.keys(onAws.findOutputs("*")).toSorted()).toEqual([
      "ClusterName",
      "ConsumerLogGroupName",
      "ConsumerServiceName",
      "DashboardName",
      "DeployedShards",
      "LeaseTableName",
      "ProducerLogGroupName",
      "ProducerServiceName",
      "ResharderFunctionName",
      "StateMachineArn",
      "StreamName",
    ]);
  });

  test("gives nothing a physical name, so that two applications stand side by side", () => {
    const names = [
      "Name",
      "TableName",
      "FunctionName",
      "ClusterName",
      "StateMachineName",
      "DashboardName",
      "LogGroupName",
      "RoleName",
      "AlarmName",
    ];
    for (const [id, resource] of Object.entries(
      onAws.toJSON().Resources as Record<string, { Type: string; Properties?: object }>,
    )) {
      const given = Object.keys(resource.Properties ?? {}).filter((property) => names.includes(property));
      expect(given, `${id} (${resource.Type})`).toEqual([]);
    }
  });

  test("takes shards and pods from the context", () => {
    emulated.hasResourceProperties("AWS::Kinesis::Stream", {
      ShardCount: 12,
      StreamModeDetails: { StreamMode: "PROVISIONED" },
    });
    emulated.hasResourceProperties("Custom::InitialTaskCount", { Count: 4, ServiceTimeout: "120" });
    onAws.hasResourceProperties("AWS::Kinesis::Stream", {
      ShardCount: 20,
      StreamEncryption: Match.objectLike({ EncryptionType: "KMS" }),
    });
  });

  test("keeps leases in KCL's table: its key, on demand, recoverable", () => {
    onAws.hasResource("AWS::DynamoDB::Table", {
      Properties: {
        KeySchema: [{ AttributeName: "leaseKey", KeyType: "HASH" }],
        AttributeDefinitions: [{ AttributeName: "leaseKey", AttributeType: "S" }],
        BillingMode: "PAY_PER_REQUEST",
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      },
      DeletionPolicy: "Delete",
    });
  });
});

describe("the services", () => {
  test("run named images on an emulator and images of this repository on AWS", () => {
    expect(container(emulated, "consumer").Image).toBe("evenkeel/consumer");
    expect(container(emulated, "producer").Image).toBe("evenkeel/producer");
    for (const name of ["consumer", "producer"])
      expect(JSON.stringify(container(onAws, name).Image)).toContain("container-assets");
  });

  test("have more time to stop than a hand-over may take", () => {
    for (const template of [emulated, onAws]) {
      const { StopTimeout, environment } = container(template, "consumer");
      expect(StopTimeout * 1_000).toBeGreaterThan(Number(environment.STOP_BUDGET_MILLIS));
    }
    expect(container(emulated, "consumer").environment.STOP_BUDGET_MILLIS).toBe("4000");
  });

  test("write history files only where a folder was given", () => {
    for (const name of ["consumer", "producer"]) {
      expect(container(emulated, name).environment.HISTORY_DIRECTORY).toBe("/tmp/history");
      expect(container(onAws, name).environment).not.toHaveProperty("HISTORY_DIRECTORY");
    }
  });

  test("write a log line per record only where that was asked for", () => {
    const logged = Template.fromStack(makeStack(AWS, { history: "log" }).stack);
    for (const name of ["consumer", "producer"]) {
      expect(container(logged, name).environment.HISTORY).toBe("log");
      expect(container(onAws, name).environment).not.toHaveProperty("HISTORY");
    }
  });

  test("are deployed beside the old tasks, and rolled back when they do not start", () => {
    const services = Object.values(onAws.findResources("AWS::ECS::Service"));
    expect(services).toHaveLength(2);
    for (const { Properties } of services) {
      expect(Properties.DeploymentConfiguration).toMatchObject({
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      });
    }
  });

  test("stand in public subnets that nothing can connect to, without NAT", () => {
    onAws.resourceCountIs("AWS::EC2::NatGateway", 0);
    for (const { Properties } of Object.values(onAws.findResources("AWS::EC2::SecurityGroup"))) {
      expect(Properties).not.toHaveProperty("SecurityGroupIngress");
    }
    onAws.resourceCountIs("AWS::EC2::SecurityGroupIngress", 0);
  });

  test("keep their logs for a week", () => {
    for (const { Properties } of Object.values(onAws.findResources("AWS::Logs::LogGroup")))
      expect(Properties.RetentionInDays).toBe(7);
    onAws.resourceCountIs("AWS::Logs::LogGroup", 5);
  });

  test("leave the consumers' count to whoever scaled last: the template names none", () => {
    const counts = (template: Template) =>
      Object.fromEntries(
        Object.entries(template.findResources("AWS::ECS::Service")).map(([id, { Properties }]) => [
          id.startsWith("Consumers") ? "consumers" : "producer",
          Properties.DesiredCount,
        ]),
      );
    for (const template of [emulated, onAws])
      expect(counts(template)).toEqual({ consumers: undefined, producer: 1 });
    // No consumer of the stack's own, not even for the moment of the first deployment.
    const byHand = Template.fromStack(makeStack(EMULATED, { pods: "0" }).stack);
    expect(counts(byHand)).toEqual({ consumers: 0, producer: 1 });
    byHand.resourceCountIs("Custom::InitialTaskCount", 0);
  });
});

describe("least privilege", () => {
  test("consumers: the stream's reads, the table's rows, metrics of their namespace", () => {
    expect(actions("ConsumersFleetTaskTaskRole")).toEqual([
      "cloudwatch:PutMetricData",
      "dynamodb:DeleteItem",
      "dynamodb:DescribeTable",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]);
    const metrics = statements("ConsumersFleetTaskTaskRole").find(
      ({ Action }) => Action === "cloudwatch:PutMetricData",
    );
    expect(metrics?.Condition).toEqual({ StringEquals: { "cloudwatch:namespace": "evenkeel" } });
  });

  test("the producer puts records, no more", () => {
    expect(actions("ProducerFleetTaskTaskRole")).toEqual(["kinesis:PutRecords"]);
  });

  test("the resharder splits and merges, reads the table, and writes one row of it", () => {
    expect(actions("ResharderRole")).toEqual([
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
      "kinesis:DescribeStreamSummary",
      "kinesis:ListShards",
      "kinesis:MergeShards",
      "kinesis:SplitShard",
      "kinesis:UpdateShardCount",
      "logs:CreateLogStream",
      "logs:PutLogEvents",
    ]);
    const update = statements("ResharderRole").find(({ Action }) => Action === "dynamodb:UpdateItem");
    expect(update?.Condition).toEqual({
      "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["evenkeel-fleet-0"] },
    });
  });

  test("the first count is set by a function that may update one service", () => {
    expect(actions("ConsumersInitialTasksRole")).toEqual([
      "ecs:UpdateService",
      "logs:CreateLogStream",
      "logs:PutLogEvents",
    ]);
    const update = statements("ConsumersInitialTasksRole").find(
      ({ Action }) => Action === "ecs:UpdateService",
    );
    expect(JSON.stringify(update?.Resource)).toMatch(/:service\/.*ConsumersFleetService/);
  });

  test("the state machine calls the resharder and scales one service", () => {
    const scale = statements("RebalanceStateMachineRole").find(
      ({ Action }) => Action === "ecs:UpdateService",
    );
    expect(JSON.stringify(scale?.Resource)).toContain("ConsumersFleetService");
    // An ARN even where names in it are placeholders: LocalStack's free edition has no ECS, and its IAM checks the form.
    expect(JSON.stringify(scale?.Resource)).toContain(":service/");
    expect(
      actions("RebalanceStateMachineRole").filter(
        (action) => !action.startsWith("logs:") && !action.startsWith("xray:"),
      ),
    ).toEqual(["ecs:UpdateService", "lambda:InvokeFunction"]);
  });
});
