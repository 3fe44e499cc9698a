import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { findEndpoint } from "../../../local/index.ts";
import { inProject } from "../../project.ts";
import { paint } from "../../terminal/paint.ts";
import type { Register } from "../context.ts";

interface Finding {
  readonly what: string;
  /** "optional": missing, but only an optional feature needs it. */
  readonly state: "ok" | "missing" | "optional";
  readonly detail: string;
  /** How to install it if it is missing. */
  readonly remedy: string;
}

const LOWEST_NODE = [20, 19] as const;
const LOWEST_PYTHON = [3, 10] as const;
const PROBE_TIMEOUT_MILLIS = 10_000;

export const registerDoctor: Register = (program, context) => {
  program
    .command("doctor")
    .description("what is missing on this machine, and how to get it; exit 1 when something needed is")
    .option("--json", "as JSON")
    .action(async (local) => {
      const findings = await examine();
      if (local.json) context.printJson(findings);
      else for (const line of findingLines(findings, context.colour)) context.print(line);
      if (findings.some((finding) => finding.state === "missing")) context.notOk();
    });
};

async function examine(): Promise<Finding[]> {
  const python = await probe(process.env.PYTHON ?? "python3", [
    "-c",
    "import sys; print('%d.%d' % sys.version_info[:2])",
  ]);
  const endpointPython = inProject(".evenkeel", "python", "bin", "python");
  const ministack = existsSync(endpointPython)
    ? await probe(endpointPython, ["-c", "import ministack, hypercorn, cbor2, docker; print('installed')"])
    : undefined;
  const chromium = await firstThatRuns(["chromium", "chromium-browser", "google-chrome"]);
  const endpoint = await findEndpoint();
  return [
    {
      what: `Node ${LOWEST_NODE.join(".")} or newer`,
      state: atLeast(process.versions.node, LOWEST_NODE) ? "ok" : "missing",
      detail: process.versions.node,
      remedy: "install it from nodejs.org, or with your system's packages",
    },
    {
      what: `Python ${LOWEST_PYTHON.join(".")} or newer`,
      state: python && atLeast(python, LOWEST_PYTHON) ? "ok" : "missing",
      detail: python ?? "not found",
      remedy: "install python3 (Debian: apt install python3 python3-venv), or set PYTHON to one",
    },
    {
      what: "npm packages",
      state: existsSync(inProject("node_modules", "aws-cdk-local")) ? "ok" : "missing",
      detail: "node_modules",
      remedy: "node tools/setup.mjs",
    },
    {
      what: "embedded endpoint's Python packages",
      state: ministack === undefined ? "missing" : "ok",
      detail: ".evenkeel/python",
      remedy: "node tools/setup.mjs",
    },
    {
      what: "embedded endpoint running",
      state: endpoint ? "ok" : "optional",
      detail: endpoint?.url ?? "no",
      remedy: "npm start starts its own; npm run up leaves one running",
    },
    {
      what: "Chromium, for the browser tests only",
      state: chromium ? "ok" : "optional",
      detail: chromium ?? "not found",
      remedy: "install chromium (Debian: apt install chromium)",
    },
  ];
}

/** The program's output. Undefined if it cannot be run. */
async function probe(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { timeout: PROBE_TIMEOUT_MILLIS });
    return stdout.trim();
  } catch {
    return undefined; // Not installed, or broken: the remedy is the same.
  }
}

async function firstThatRuns(commands: readonly string[]): Promise<string | undefined> {
  for (const command of commands) {
    const version = await probe(command, ["--version"]);
    if (version !== undefined) return version;
  }
  return undefined;
}

/** Pure. */
export function atLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [haveMajor = 0, haveMinor = 0] = version.split(".").map(Number);
  return haveMajor > major || (haveMajor === major && haveMinor >= minor);
}

/** Pure. */
export function findingLines(findings: readonly Finding[], colour: boolean): string[] {
  const style = paint(colour);
  const marks = { ok: style.green("ok     "), missing: style.red("MISSING"), optional: style.dim("no     ") };
  return findings.flatMap(({ what, state, detail, remedy }) => [
    `${marks[state]}  ${what}: ${detail}`,
    ...(state === "ok" ? [] : [`         ${remedy}`]),
  ]);
}
