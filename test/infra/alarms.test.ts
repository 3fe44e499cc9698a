import { readFileSync } from "node:fs";
import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { inProject } from "../../lab/project.ts";
import { AWS, makeStack } from "./synthesize.ts";

const stack = Template.fromStack(makeStack(AWS).stack);
const withoutWorkers = Template.fromStack(makeStack(AWS, { pods: "0" }).stack);

/** By name, which is the last part of the construct's path without the hash. */
const alarmsOf = (template: Template) =>
  Object.fromEntries(
    Object.entries(template.findResources("AWS::CloudWatch::Alarm")).map(([id, { Properties }]) => [
      /^Alarms(\w+)[0-9A-F]{8}$/.exec(id)![1]!,
      Properties,
    ]),
  );

describe("an alarm for each kind of trouble", () => {
  test.each([
    ["UnownedShards", "UnownedShards", "LeaseAssignment", "Maximum"],
    ["UnevenFleet", "LeaseImbalance", "LeaseAssignment", "Maximum"],
    ["CapTooLow", "LeaseSpillover", "LeaseAssignment", "Maximum"],
    ["HaltedShards", "HaltedShards", "LeaseAssignment", "Maximum"],
    ["FarBehind", "MillisBehindLatest", "ApplicationTracker", "Maximum"],
    ["EventLoopBlocked", "EventLoopBlockedMillis", "Worker", "Maximum"],
    ["ErrorsForAPerson", "Errors", "ErrorsForAPerson", "Sum"],
    ["CallsFail", "Errors", "AllErrors", "Sum"],
    ["FleetSilent", "CurrentLeases", "RenewAllLeases", "SampleCount"],
  ])("%s stands on %s of %s, a series of the whole fleet", (name, MetricName, Operation, Statistic) => {
    expect(alarmsOf(stack)[name]).toMatchObject({
      ...{ Namespace: "evenkeel", MetricName, Statistic, Period: 60 },
      Dimensions: [{ Name: "Operation", Value: Operation }],
      AlarmDescription: expect.stringMatching(/^.{20,200}$/),
    });
  });

  test("and for a rebalance that did not end well", () => {
    const { RebalanceFailed, RebalanceTimedOut } = alarmsOf(stack);
    expect(RebalanceFailed).toMatchObject({ MetricName: "ExecutionsFailed", Threshold: 0 });
    expect(RebalanceTimedOut).toMatchObject({ MetricName: "ExecutionsTimedOut", Threshold: 0 });
  });

  test("a blocked event loop is told before the failover time is over", () => {
    const { Threshold } = alarmsOf(stack).EventLoopBlocked;
    const consumer = Object.values(stack.findResources("AWS::ECS::TaskDefinition"))
      .map(({ Properties }) => Properties.ContainerDefinitions[0])
      .find(({ Name }) => Name === "consumer");
    const failover = consumer.Environment.find(
      ({ Name }: { Name: string }) => Name === "FAILOVER_TIME_MILLIS",
    );
    expect(Threshold).toBe(Number(failover.Value) / 2);
  });

  test("silence is bad where workers are deployed and only their absence is silent", () => {
    const isBad = ["FarBehind", "FleetSilent", "UnownedShards"];
    for (const [name, { TreatMissingData }] of Object.entries(alarmsOf(stack)))
      expect(TreatMissingData, name).toBe(isBad.includes(name) ? "breaching" : "notBreaching");
    const idle = alarmsOf(withoutWorkers);
    for (const [name, { TreatMissingData }] of Object.entries(idle))
      expect(TreatMissingData, name).toBe("notBreaching");
    expect(Object.keys(idle)).not.toContain("FleetSilent");
  });

  test("docs/operations.md says of each what it means and what to do, and names no other", () => {
    const page = readFileSync(inProject("docs/operations.md"), "utf8");
    const documented = [...page.matchAll(/^### `(\w+)`$/gm)].map(([, name]) => name);
    expect(documented.toSorted()).toEqual(Object.keys(alarmsOf(stack)).toSorted());
  });
});

describe("the dashboard", () => {
  const [dashboard] = Object.values(stack.findResources("AWS::CloudWatch::Dashboard"));
  const parts = dashboard!.Properties.DashboardBody["Fn::Join"][1] as unknown[];
  const body = JSON.parse(parts.map((part) => (typeof part === "string" ? part : "token")).join(""));

  test("shows fewest, mean and most leases of a worker, of one series", () => {
    const { properties } = body.widgets.find(
      ({ properties: { title } }: { properties: { title: string } }) => title === "Leases per worker",
    );
    expect(properties.metrics.map((metric: unknown[]) => metric.slice(0, 4))).toEqual(
      Array(3).fill(["evenkeel", "CurrentLeases", "Operation", "RenewAllLeases"]),
    );
    const statistics = properties.metrics.map((metric: unknown[]) => (metric[4] as { stat?: string }).stat);
    expect(statistics).toEqual(["Minimum", undefined, "Maximum"]); // Average is CloudWatch's default
  });

  test("searches for nothing, and names no worker or shard", () => {
    expect(body.widgets).toHaveLength(9);
    expect(JSON.stringify(body)).not.toMatch(/SEARCH|WorkerIdentifier|ShardId/);
  });
});
