import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Context } from "../../../lab/cli/context.ts";
import { reportError } from "../../../lab/cli/errors.ts";
import { buildProgram } from "../../../lab/cli/program.ts";
import { inProject } from "../../../lab/project.ts";
import { systemClock } from "../../../src/platform.ts";

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** The program as main.ts runs it, with its output captured. */
async function evenkeel(...args: string[]): Promise<Outcome> {
  let out = "";
  let err = "";
  let exitCode = 0;
  const stream = (take: (text: string) => void) =>
    ({
      isTTY: false,
      write(text: string) {
        take(text);
        return true;
      },
    }) as unknown as NodeJS.WriteStream;
  const context: Context = {
    clock: systemClock,
    signal: new AbortController().signal,
    stdout: stream((text) => {
      out += text;
    }),
    stderr: stream((text) => {
      err += text;
    }),
    colour: false,
    print: (line) => {
      out += `${line}\n`;
    },
    printJson: (value) => {
      out += `${JSON.stringify(value)}\n`;
    },
    note: (line) => {
      err += `${line}\n`;
    },
    notOk: () => {
      exitCode = 1;
    },
  };
  const program = buildProgram(context);
  try {
    await program.parseAsync(["node", "evenkeel", ...args]);
  } catch (error) {
    exitCode = reportError(error, context, program);
  }
  return { exitCode, out, err };
}

const COMMANDS = [
  "experiment",
  "verify-stream",
  "producer",
  "consumer",
  "monitor-leases",
  "split-shards",
  "scale",
  "view-distribution",
  "export-lease-data",
  "cleanup",
  "analyze-rebalancing",
  "config",
  "metrics",
  "env",
  "up",
  "down",
  "doctor",
];

describe("help", () => {
  it("lists every command of the contract", async () => {
    const { exitCode, out } = await evenkeel("--help");
    expect(exitCode).toBe(0);
    for (const command of COMMANDS) expect(out).toContain(`  ${command}`);
  });

  it.each(COMMANDS)("%s --help fits 80 columns and exits 0", async (command) => {
    const { exitCode, out, err } = await evenkeel(command, "--help");
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
    expect(out).toContain(`Usage: evenkeel ${command}`);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe("wrong use is one line and exit 2, and nothing is started", () => {
  it.each([
    [["splitshards"], "did you mean split-shards?"],
    [["moni"], "did you mean monitor-leases?"],
    [["kubernetes"], "--help"],
    [["experiment", "--shard", "3"], "Did you mean --shards?"],
    [["experiment", "--split-to", "0"], "--split-to"],
    [["experiment", "--shards", "x"], "--shards"],
    [["experiment", "--timeline", "slow"], "fast or seed"],
    [["experiment", "--shards"], "argument missing"],
    [["scale"], "missing required argument"],
    [["scale", "-1"], "whole number"],
    [["scale", "many"], "whole number"],
    [["cleanup", "--failover-time", "0"], "--failover-time"],
    [["split-shards", "--percent", "50", "--to", "30"], "exclude each other"],
    [["analyze-rebalancing", "a", "b", "c"], "3 reports"],
    [["analyze-rebalancing", "no/such/report.json"], "cannot be read"],
    [["config", "--config", "no/such.yaml"], "cannot read no/such.yaml"],
    [["verify-stream", "surplus"], "too many arguments"],
  ])("%j", async (args, text) => {
    const { exitCode, out, err } = await evenkeel(...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err).toMatch(/^error: [^\n]+\n$/);
    expect(err).toContain(text);
  });
});

it("config computes the cap, rounded up", async () => {
  const { exitCode, out } = await evenkeel("config", "--pod", "2", "--shards", "20", "--pods", "3", "--json");
  expect(exitCode).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    caps: [{ shards: 20, pods: 3, cap: 7 }],
    settings: expect.arrayContaining([{ name: "WorkerId", value: "pod-2", origin: "file" }]),
  });
});

describe("as a process", () => {
  const run = (args: string[], environment: Record<string, string> = {}) =>
    spawnSync(process.execPath, [inProject("lab/bin/evenkeel.mjs"), ...args], {
      encoding: "utf8",
      env: { ...process.env, AWS_ENDPOINT_URL: "http://127.0.0.1:9", NO_COLOR: "1", ...environment },
    });

  it("a silent endpoint is one line with a remedy and exit 1", () => {
    const { status, stdout, stderr } = run(["view-distribution"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^error: the AWS endpoint does not answer .*npm run up.*\n$/);
  });

  it("--verbose shows the stack as well", () => {
    const { status, stderr } = run(["view-distribution", "--verbose"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/\n\s+at /);
  });

  it("--aws beside AWS_ENDPOINT_URL is refused before anything is contacted", () => {
    const { status, stderr } = run(["scale", "5", "--aws", "--yes"]);
    expect(status).toBe(2);
    expect(stderr).toContain("give one of them, not both");
  });
});
