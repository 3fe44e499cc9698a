/**
 * CONTRACT, "The same thing by hand": the ecosystem's own tools, led by nothing but the lines of `npx evenkeel env`.
 * Every tool starts in an empty environment that a shell has filled with those lines, as a user's terminal has.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { inProject } from "../../lab/project.ts";
import { endpointAdmin } from "../../local/index.ts";
import { until } from "../integration/endpoint/until.ts";

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

const home = mkdtempSync(join(tmpdir(), "evenkeel-by-hand-"));
const CONTEXT = ["-c", "application=byhand", "-c", "shards=4", "-c", "pods=2"];
const CDK = [...CONTEXT, "--no-notices", "--output", join(home, "cdk.out")];

async function run(command: string, args: string[], env: Record<string, string>): Promise<Outcome> {
  const child = spawn(command, args, { cwd: inProject(), env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk;
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, out, err };
}

/** What the user pastes: `eval "$(npx evenkeel env)"`. */
let lines = "";

const tool = (name: string, ...args: string[]) =>
  run("/bin/sh", ["-c", 'eval "$LINES"; unset LINES; exec "$@"', "sh", name, ...args], {
    HOME: home,
    LINES: lines,
  });

// biome-ignore lint/suspicious/noExplicitAny: the AWS CLI's answers, each read in one place.
async function awslocal(...args: string[]): Promise<any> {
  const { exitCode, out, err } = await tool("awslocal", ...args, "--output", "json");
  if (exitCode !== 0) throw new Error(`awslocal ${args.join(" ")} ended with ${exitCode}: ${err}`);
  return out === "" ? undefined : JSON.parse(out);
}

describe("by hand: cdklocal, awslocal and cdk with the lines of `evenkeel env`", () => {
  const outputs = new Map<string, string>();
  const output = (name: string) => outputs.get(name) ?? expect.fail(`the stack has no output ${name}`);

  /** The stack's tasks, as processes of this machine. */
  const tasks = async () =>
    (await endpointAdmin(inject("endpointUrl")).processes()).filter(({ taskArn }) =>
      taskArn?.includes(output("ClusterName")),
    );

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

  beforeAll(async () => {
    const env = await run(process.execPath, [inProject("lab/bin/evenkeel.mjs"), "env"], {
      HOME: home,
      PATH: process.env.PATH ?? "",
      AWS_ENDPOINT_URL: inject("endpointUrl"),
    });
    expect(env).toMatchObject({ exitCode: 0, err: "" });
    lines = env.out;
    expect(await tool("cdklocal", "bootstrap")).toMatchObject({ exitCode: 0 });
    const deployed = await tool("cdklocal", "deploy", ...CDK, "--require-approval", "never");
    expect(deployed).toMatchObject({ exitCode: 0, err: expect.stringContaining("Byhand.StateMachineArn") });
    const { Stacks } = await awslocal("cloudformation", "describe-stacks", "--stack-name", "Byhand");
    for (const { OutputKey, OutputValue } of Stacks[0].Outputs) outputs.set(OutputKey, OutputValue);
  }, 180_000);

  afterAll(async () => {
    // Only where a test failed before the stack was destroyed: the next file wants an empty endpoint.
    if (outputs.size > 0) await tool("cdk", "destroy", "--force", ...CDK);
    rmSync(home, { recursive: true, force: true });
  }, 120_000);

  it("the stream has its shards and the service its tasks", async () => {
    const stream = await awslocal("kinesis", "list-shards", "--stream-name", output("StreamName"));
    expect(stream.Shards).toHaveLength(4);
    const service = await awslocal(
      ...["ecs", "describe-services", "--cluster", output("ClusterName")],
      ...["--services", output("ConsumerServiceName")],
    );
    expect(service.services[0]).toMatchObject({ desiredCount: 2, status: "ACTIVE" });
    await until("two consumers and the producer run", async () => (await tasks()).length === 3);
  });

  it("the state machine splits and scales, and says what it did", async () => {
    const execution = await execute('{"targetShards":6,"targetTasks":3}');
    expect(execution).toMatchObject({ status: "SUCCEEDED" });
    const { plan, done, timings } = JSON.parse(execution.output);
    expect(plan).toMatchObject({ openShards: 4, targetShards: 6, direction: "split" });
    expect(plan.steps).toHaveLength(2);
    expect(done).toMatchObject({ splits: 2, merges: 0, openShards: 6, tasks: 3 });
    expect(Object.values(done.owners)).toEqual([2, 2, 2]);
    expect(timings.convergedMillis).toBeGreaterThan(0);
    const stream = await awslocal("kinesis", "list-shards", "--stream-name", output("StreamName"));
    expect(stream.Shards).toHaveLength(8); // 6 open, 2 closed parents
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
    expect(open.length).toBeGreaterThanOrEqual(6);
    for (const row of open) expect(row).toMatchObject({ leaseCounter: { N: expect.any(String) } });
  });

  it("CloudWatch has KCL's metrics", async () => {
    const period = [
      "--start-time",
      "2020-01-01T00:00:00Z",
      "--end-time",
      "2100-01-01T00:00:00Z",
      "--period",
      "60",
    ];
    const processed = await until("RecordsProcessed has data points", async () => {
      const { Datapoints } = await awslocal(
        ...["cloudwatch", "get-metric-statistics", "--namespace", "byhand"],
        ...["--metric-name", "RecordsProcessed", ...period, "--statistics", "Sum"],
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

  it("plain cdk destroys the stack and nothing of it is left", async () => {
    expect(await tool("cdk", "destroy", "--force", ...CDK)).toMatchObject({ exitCode: 0 });
    const [streams, tables, clusters, machines, functions, groups] = await Promise.all([
      awslocal("kinesis", "list-streams", "--query", "StreamNames"),
      awslocal("dynamodb", "list-tables", "--query", "TableNames"),
      awslocal("ecs", "list-clusters", "--query", "clusterArns"),
      awslocal("stepfunctions", "list-state-machines", "--query", "stateMachines[].name"),
      awslocal("lambda", "list-functions", "--query", "Functions[].FunctionName"),
      awslocal("logs", "describe-log-groups", "--query", "logGroups[].logGroupName"),
    ]);
    const left = [streams, tables, clusters, machines, functions, groups]
      .flat()
      .filter((name: string) => /byhand/i.test(name));
    expect(left).toEqual([]);
    expect(await tasks()).toEqual([]);
    outputs.clear();
  }, 120_000);
});
