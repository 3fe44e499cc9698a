/**
 * AWS's own tools, on the state that the small experiment left: they split and scale once more, and find
 * everything.
 */
import { expect, it } from "vitest";
import { until } from "../integration/endpoint/until.ts";
import type { ByHand } from "./by-hand.ts";

export interface ToolsSuiteOptions {
  readonly user: () => ByHand;
  /** An output of the stack. */
  readonly output: (name: string) => string;
  readonly application: string;
}

export function toolsSuite({ user, output, application }: ToolsSuiteOptions): void {
  const awslocal = (...args: string[]) => user().awslocal(...args);

  async function execute(input: string) {
    const { executionArn } = await awslocal(
      ...["stepfunctions", "start-execution"],
      ...["--state-machine-arn", output("StateMachineArn"), "--input", input],
    );
    return until("the execution ended", async () => {
      const seen = await awslocal("stepfunctions", "describe-execution", "--execution-arn", executionArn);
      return seen.status !== "RUNNING" && seen;
    });
  }

  it("the state machine splits and scales, and says what it did", async () => {
    const execution = await execute('{"targetShards":8,"targetTasks":4}');
    expect(execution).toMatchObject({ status: "SUCCEEDED" });
    const { plan, done, timings } = JSON.parse(execution.output);
    expect(plan).toMatchObject({ openShards: 6, targetShards: 8, direction: "split" });
    expect(plan.steps).toHaveLength(2);
    expect(done).toMatchObject({ splits: 2, merges: 0, openShards: 8, tasks: 4 });
    expect(Object.values(done.owners)).toEqual([2, 2, 2, 2]);
    expect(timings.convergedMillis).toBeGreaterThan(0);
    const stream = await awslocal("kinesis", "list-shards", "--stream-name", output("StreamName"));
    expect(stream.Shards).toHaveLength(12); // 8 open, 4 closed parents
  }, 120_000);

  it("an input that makes no sense fails at once, and the cause says what was expected", async () => {
    const execution = await execute('{"targetShards":-1}');
    expect(execution).toMatchObject({
      status: "FAILED",
      error: "InvalidInput",
      cause: expect.stringMatching(/^targetShards is -1; expected a whole number from 1 to 1000[^\n]*$/),
    });
  });

  it("the lease table holds KCL's rows, one owner for each of them", async () => {
    const { Items } = await awslocal("dynamodb", "scan", "--table-name", output("LeaseTableName"));
    const rows: Record<string, { S?: string; N?: string }>[] = Items;
    const open = rows.filter(
      (row) => row.leaseKey?.S?.startsWith("shardId-") && row.leaseOwner !== undefined,
    );
    expect(open.length).toBeGreaterThanOrEqual(8);
    for (const row of open) expect(row).toMatchObject({ leaseCounter: { N: expect.any(String) } });
  });

  it("CloudWatch has KCL's metrics", async () => {
    const period = ["--start-time", "2020-01-01T00:00:00Z", "--end-time", "2100-01-01T00:00:00Z"];
    const processed = await until("RecordsProcessed has data points", async () => {
      const { Datapoints } = await awslocal(
        ...["cloudwatch", "get-metric-statistics", "--namespace", application],
        ...["--metric-name", "RecordsProcessed", ...period, "--period", "60", "--statistics", "Sum"],
      );
      return Datapoints.length > 0 && Datapoints;
    });
    expect(processed[0]).toMatchObject({ Unit: "Count", Sum: expect.any(Number) });
    expect(processed[0].Sum).toBeGreaterThan(0);
  });

  it("the consumers' lines are in CloudWatch Logs", async () => {
    const { events } = await awslocal(
      ...["logs", "filter-log-events", "--log-group-name", output("ConsumerLogGroupName"), "--limit", "100"],
    );
    const messages: { msg?: string }[] = events.map((event: { message: string }) =>
      JSON.parse(event.message),
    );
    expect(messages).toContainEqual(expect.objectContaining({ msg: "starting" }));
  });

  it("the state machine merges too, and leaves the tasks as they are", async () => {
    const execution = await execute('{"targetShards":7}');
    expect(execution).toMatchObject({ status: "SUCCEEDED" });
    expect(JSON.parse(execution.output).done).toMatchObject({ splits: 0, merges: 1, openShards: 7 });
  }, 120_000);
}
