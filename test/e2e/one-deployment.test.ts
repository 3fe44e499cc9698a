/**
 * CONTRACT, "The same thing by hand": one deployment, made and destroyed by hand with cdklocal on the
 * endpoint of `npm run local`. In between, the experiment runs on it, and then every tool and command on the
 * state that the experiment left. The parts run in order: each begins with the state that the previous one
 * left.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emptyHistory, historyFolder } from "../../lab/project.ts";
import type { Report } from "../../lab/report/index.ts";
import type { Outcome } from "../integration/endpoint/run.ts";
import { until } from "../integration/endpoint/until.ts";
import { ByHand } from "./by-hand.ts";
import { commandsSuite } from "./commands-suite.ts";
import { callsOfStateMachine, grantsSuite } from "./grants-suite.ts";
import { toolsSuite } from "./tools-suite.ts";

const APPLICATION = "e2e";
const SIZES = ["--shards", "4", "--split-to", "6", "--pods", "2", "--scale-to", "3", "--rate", "50"];

let user: ByHand;
let stateMachineCalls: Awaited<ReturnType<typeof callsOfStateMachine>> = [];
const outputs = new Map<string, string>();
const output = (name: string) => outputs.get(name) ?? expect.fail(`the stack has no output ${name}`);
const evenkeel = (...args: string[]) => user.evenkeel(...args, "--application", APPLICATION);
const CONTEXT = {
  ...{ application: APPLICATION, shards: 4, pods: 2, rate: 50 },
  historyDirectory: historyFolder(APPLICATION), // or the experiment could prove nothing
};
const cdk = (tool: "cdk" | "cdklocal", verb: "deploy" | "destroy", options: string[], context = CONTEXT) => {
  const flags = Object.entries(context).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return user.tool(tool, verb, ...options, ...flags, "--no-notices", "--output", user.folder("cdk.out"));
};

const consumerService = async () => {
  const { services } = await user.awslocal(
    ...["ecs", "describe-services", "--cluster", output("ClusterName")],
    ...["--services", output("ConsumerServiceName")],
  );
  return services[0];
};

beforeAll(async () => {
  emptyHistory(APPLICATION);
  user = await ByHand.open();
}, 60_000);
afterAll(() => user.ctrlC(), 60_000);

describe("deployed by hand", () => {
  it("cdklocal bootstraps and deploys", async () => {
    expect(await user.tool("cdklocal", "bootstrap")).toMatchObject({ exitCode: 0 });
    const deployed = await cdk("cdklocal", "deploy", ["--require-approval", "never"]);
    expect(deployed).toMatchObject({ exitCode: 0, err: expect.stringContaining("E2e.StateMachineArn") });
    const { Stacks } = await user.awslocal("cloudformation", "describe-stacks", "--stack-name", "E2e");
    for (const { OutputKey, OutputValue } of Stacks[0].Outputs) outputs.set(OutputKey, OutputValue);
  }, 120_000);

  it("the stream has its shards and the service its tasks", async () => {
    const stream = await user.awslocal("kinesis", "list-shards", "--stream-name", output("StreamName"));
    expect(stream.Shards).toHaveLength(4);
    expect(await consumerService()).toMatchObject({ desiredCount: 2, status: "ACTIVE" });
    const running = async () => (await user.tasks(output("ClusterName"))).length;
    await until("two consumers and the producer run", async () => (await running()) === 3);
  });
});

describe("the experiment, small, on the stack that is up", () => {
  const out = mkdtempSync(join(tmpdir(), "evenkeel-e2e-"));
  let run: Outcome;
  let report: Report;

  beforeAll(async () => {
    run = await evenkeel("experiment", ...SIZES, "--out", out);
    report = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
  }, 240_000);
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  it("holds: nothing lost, doubled or reordered, and the distributions came", () => {
    expect(report.checks.filter((check) => !check.ok)).toEqual([]);
    expect(report).toMatchObject({ ok: true, measures: { duplicates: 0, lost: 0, orderViolations: 0 } });
    expect(report.measures.produced).toBeGreaterThan(0);
    expect(report.measures.processed).toBe(report.measures.produced);
    expect(report.phases.map((phase) => phase.name)).toEqual(["initial-balance", "split", "scale", "drain"]);
    expect(run).toMatchObject({ exitCode: 0, out: expect.stringContaining("none lost") });
  });

  it("counted the consumers' calls", () => {
    expect(report.measures.apiCalls).toMatchObject({ "Kinesis.GetRecords": expect.any(Number) });
  });

  it("left a history with every kind of line, so that anyone can check it", () => {
    const lines = readFileSync(join(out, "history.jsonl"), "utf8").trim().split("\n");
    const kinds = new Set(lines.map((line) => JSON.parse(line).type));
    expect([...kinds].toSorted()).toEqual(["batch", "event", "lease", "leases", "put", "record"]);
  });

  it("found nothing to change, left the stack up, and says so", async () => {
    expect(run.err).toMatch(
      /destroy: nothing: the stack stays up, with 6 shards, 3 consumers and no producer/,
    );
    const { Stacks } = await user.awslocal("cloudformation", "describe-stacks", "--stack-name", "E2e");
    expect(Stacks).toMatchObject([{ StackStatus: "CREATE_COMPLETE" }]); // never updated
  });

  it("a second one is refused: the stack is no longer as it was deployed", async () => {
    const { exitCode, err } = await evenkeel("experiment", ...SIZES, "--out", out);
    expect(exitCode).toBe(1);
    expect(err).toMatch(/error: .*stack E2e.*open shards are 6, not 4.*producers are 0, not 1.*npm run down/);
  });
});

describe("the commands", () => commandsSuite(evenkeel));

describe("awslocal", () => {
  toolsSuite({ user: () => user, output, application: APPLICATION });
  afterAll(async () => {
    stateMachineCalls = await callsOfStateMachine(user, output("StateMachineArn"));
  }, 60_000);
});

describe("taken down by hand", () => {
  it("plain cdk finds nothing to deploy", async () => {
    const { exitCode, err } = await cdk("cdk", "deploy", []);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: expect.stringContaining("E2e (no changes)") });
  }, 120_000);

  it("a deployment that changes the consumers leaves their count to whoever scaled last", async () => {
    const before = await consumerService();
    expect(before.desiredCount).toBe(4); // the state machine's, not the template's 2
    const changed = { ...CONTEXT, pods: 3, historyDirectory: user.folder("history") };
    const deployed = await cdk("cdklocal", "deploy", ["--require-approval", "never"], changed);
    expect(deployed).toMatchObject({ exitCode: 0, err: expect.stringContaining("UPDATE_COMPLETE") });
    const after = await consumerService();
    expect(after.desiredCount).toBe(4);
    expect(after.taskDefinition).not.toBe(before.taskDefinition);
    await until("four consumers run", async () => (await consumerService()).runningCount === 4);
  }, 120_000);

  it("cdklocal destroys the stack and nothing of it is left", async () => {
    expect(await cdk("cdklocal", "destroy", ["--force"])).toMatchObject({ exitCode: 0 });
    const left = await Promise.all([
      user.awslocal("kinesis", "list-streams", "--query", "StreamNames"),
      user.awslocal("dynamodb", "list-tables", "--query", "TableNames"),
      user.awslocal("ecs", "list-clusters", "--query", "clusterArns"),
      user.awslocal("stepfunctions", "list-state-machines", "--query", "stateMachines[].name"),
      user.awslocal("lambda", "list-functions", "--query", "Functions[].FunctionName"),
      user.awslocal("logs", "describe-log-groups", "--query", "logGroups[].logGroupName"),
    ]);
    expect(left.flat().filter((name: string) => /e2e/i.test(name))).toEqual([]);
    expect(await user.tasks(output("ClusterName"))).toEqual([]);
  }, 120_000);

  grantsSuite({
    user: () => user,
    templateFile: () => join(user.folder("cdk.out"), "E2e.template.json"),
    stateMachineCalls: () => stateMachineCalls,
  });

  it("Ctrl-C ends `npm run local` and everything that it started", async () => {
    expect(await user.ctrlC()).toEqual([]);
  }, 60_000);
});
