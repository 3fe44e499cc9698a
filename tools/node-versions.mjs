/**
 * `npm run test:node [-- 20.19 22 24]`: runs the unit tests and the simulation on other versions of Node. The
 * binaries come from npm's packages `node-<platform>-<arch>`, are installed into their own folder, and only
 * when this runs. Exit code 0: all passed on every version. 1: not all passed. 2: wrong use.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The oldest supported version, and the two maintained versions. */
const DEFAULT_VERSIONS = ["20.19", "22", "24"];
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = join(ROOT, ".evenkeel", "node");

const versions = process.argv.length > 2 ? process.argv.slice(2) : DEFAULT_VERSIONS;
const odd = versions.find((version) => !/^\d+(\.\d+){0,2}$/.test(version));
if (odd !== undefined) {
  console.error(`test:node: "${odd}" is no version of Node: pass numbers such as 22 or 20.19.0`);
  process.exit(2);
}

let running;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    running?.kill(signal);
    process.exitCode = 1;
  });

const lines = [];
for (const version of versions) {
  const node = await installed(version);
  const passed = node !== undefined && (await run(node, [vitest(), "run", "--project", "unit"])) === 0;
  lines.push(`Node ${version}: ${node === undefined ? "not installed" : passed ? "passed" : "failed"}`);
  if (!passed) process.exitCode = 1;
}
console.log(lines.join("\n"));

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

function run(node, args) {
  return start(node, args, { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" });
}

async function start(command, args, env = process.env) {
  running = spawn(command, args, { cwd: ROOT, stdio: "inherit", env });
  const [code] = await once(running, "exit");
  running = undefined;
  return code;
}
