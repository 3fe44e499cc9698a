/**
 * `npm run test:node [-- 20.19 22 24]`: runs the tests that need no endpoint, and the simulation, on other
 * versions of Node. The binaries come from npm's packages `node-<platform>-<arch>`; each is installed into
 * `.evenkeel/node/<version>` when this first runs. Exit code 0: all passed on every version. 1: not all
 * passed. 2: wrong use.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The oldest supported version, and the two maintained versions. */
const DEFAULT_VERSIONS = ["20.19", "22", "24"];
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = join(ROOT, ".evenkeel", "node");
const PROJECTS = ["--project=unit", "--project=programs"];
const USAGE = `usage: npm run test:node [-- VERSION …]; without a version: ${DEFAULT_VERSIONS.join(", ")}`;

const asked = process.argv.slice(2);
if (asked.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const versions = asked.length > 0 ? asked : DEFAULT_VERSIONS;
const odd = versions.find((version) => !/^\d+(\.\d+){0,2}$/.test(version));
if (odd !== undefined) {
  console.error(`test:node: "${odd}" is no version of Node: pass numbers such as 22 or 20.19.0`);
  process.exit(2);
}

let running;
let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    isInterrupted = true;
    running?.kill(signal);
  });

const lines = [];
for (const version of versions) {
  const verdict = isInterrupted ? "not run" : await testOn(version);
  lines.push(`Node ${version}: ${verdict}`);
  if (!verdict.startsWith("passed")) process.exitCode = 1;
}
console.log(lines.join("\n"));

async function testOn(version) {
  const node = await installed(version);
  if (node === undefined) return "not installed";
  const exact = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim();
  if (!exact) return "does not start on this machine";
  const code = await run(node, [vitest(), "run", ...PROJECTS]);
  return `${code === 0 ? "passed" : "failed"} (${exact})`;
}

/** The path of the binary. Undefined: npm could not install it and has printed the reason. */
async function installed(version) {
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const folder = join(FOLDER, version);
  const node = join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  // Without its own manifest, npm would install into the project.
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
  const code = await start(npm, [...args, `${name}@${version}`]);
  return code === 0 && existsSync(node) ? node : undefined;
}

function vitest() {
  const manifest = createRequire(import.meta.url).resolve("vitest/package.json");
  return join(dirname(manifest), "vitest.mjs");
}

/** What a test starts by the name `node` is this one too. */
function run(node, args) {
  const PATH = [dirname(node), process.env.PATH].join(delimiter);
  return start(node, args, {
    ...{ ...process.env, PATH },
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  });
}

async function start(command, args, env = process.env) {
  running = spawn(command, args, { cwd: ROOT, stdio: "inherit", env });
  try {
    const [code] = await once(running, "exit");
    return code;
  } catch (error) {
    console.error(`test:node: ${command} does not start: ${error.message}`);
    return undefined;
  } finally {
    running = undefined;
  }
}
