/**
 * Prepares a clone: installs the npm packages of the lockfile, and a Python folder with the pinned packages
 * of local/requirements.txt. Plain Node without dependencies, because it runs before any are installed. A
 * second run only compares two stamps.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PYTHON_FOLDER = join(ROOT, ".evenkeel/python");
const LOG_FOLDER = join(ROOT, ".evenkeel/logs");
const LOWEST_NODE = [20, 19];
const LOWEST_PYTHON = [3, 10];

class SetupError extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

const fingerprint = (file) =>
  createHash("sha256")
    .update(readFileSync(join(ROOT, file)))
    .digest("hex");
const isOlder = ([major, minor], [lowestMajor, lowestMinor]) =>
  major < lowestMajor || (major === lowestMajor && minor < lowestMinor);

/** On a terminal: one line that is rewritten with the elapsed seconds. Elsewhere: silent until a failure. */
async function step(title, work) {
  const startedAt = performance.now();
  const seconds = () => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  const line = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[2K${text}`);
  line(`${title} …`);
  const timer = process.stderr.isTTY ? setInterval(() => line(`${title} … ${seconds()}`), 1000) : undefined;
  try {
    await work();
    if (process.stderr.isTTY) line(`${title}: done in ${seconds()}\n`);
  } catch (error) {
    if (process.stderr.isTTY) line("");
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function run(command, args, logName, what) {
  const logFile = join(LOG_FOLDER, logName);
  const log = createWriteStream(logFile, { flags: "a" });
  return new Promise((resolve, reject) => {
    const failed = (reason) =>
      reject(new SetupError(`${what} failed (${reason}). The full output is in ${logFile}`, 1));
    const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.on("error", (error) => failed(error.message));
    child.on("close", (code, signal) => {
      log.end();
      if (code === 0) resolve();
      else failed(signal ? `ended by ${signal}` : `exit ${code}`);
    });
  });
}

function requireNode() {
  const version = process.versions.node.split(".").map(Number);
  if (isOlder(version, LOWEST_NODE))
    throw new SetupError(
      `Node ${process.versions.node} is too old: install Node ${LOWEST_NODE.join(".")} or newer`,
      2,
    );
}

/**
 * For each kind of package: the file that pins it, and the file that records its fingerprint once it is
 * installed.
 */
const NODE = { pins: "package-lock.json", stamp: join(ROOT, "node_modules/.evenkeel-stamp") };
const PYTHON = { pins: "local/requirements.txt", stamp: join(PYTHON_FOLDER, ".evenkeel-stamp") };

const isCurrent = ({ pins, stamp }) => existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint(pins);
const isInstalled = () => isCurrent(NODE) && isCurrent(PYTHON);
const noteInstalled = ({ pins, stamp }) => writeFileSync(stamp, fingerprint(pins));

async function installNodePackages() {
  if (isCurrent(NODE)) return;
  if (!matchesLockfile()) {
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    await step("Installing the npm packages", () =>
      run(npm, ["ci", "--no-progress"], "npm-ci.log", "npm ci"),
    );
  }
  noteInstalled(NODE);
}

/**
 * npm records what it installed in node_modules/.package-lock.json. Comparing it avoids repeating an `npm
 * install` done by hand.
 */
function matchesLockfile() {
  const installedFile = join(ROOT, "node_modules/.package-lock.json");
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  const locked = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")).packages;
  return Object.entries(locked).every(
    ([path, entry]) => path === "" || entry.optional || installed[path]?.integrity === entry.integrity,
  );
}

/** The interpreter's command and version. Throws an error that states what to install. */
function findPython() {
  const probe = "import sys; print(sys.version_info[0], sys.version_info[1])";
  const seen = [];
  for (const command of [process.env.PYTHON, "python3", "python"].filter(Boolean)) {
    const result = spawnSync(command, ["-c", probe], { encoding: "utf8" });
    if (result.status !== 0) continue;
    const version = result.stdout.trim().split(" ").map(Number);
    if (!isOlder(version, LOWEST_PYTHON)) return { command, version: version.join(".") };
    seen.push(`${command} is ${version.join(".")}`);
  }
  const found = seen.length > 0 ? ` (${seen.join(", ")})` : "";
  throw new SetupError(
    `Python ${LOWEST_PYTHON.join(".")} or newer is needed for the local AWS endpoint and was not found${found}: install it, or set PYTHON to it`,
    2,
  );
}

async function installPythonPackages() {
  if (isCurrent(PYTHON)) return;
  const python = findPython();
  const pip = ["install", "--disable-pip-version-check", "--no-input", "-r", "local/requirements.txt"];
  await step(`Installing the local AWS endpoint (Python ${python.version})`, async () => {
    rmSync(PYTHON_FOLDER, { recursive: true, force: true });
    if (hasVenv(python.command)) {
      await run(python.command, ["-m", "venv", PYTHON_FOLDER], "pip.log", "python -m venv");
      await run(join(PYTHON_FOLDER, "bin/python"), ["-m", "pip", ...pip], "pip.log", "pip install");
    } else {
      // Debian without python3-venv: the packages are installed into a folder, and a launcher adds that
      // folder to the path.
      const site = join(PYTHON_FOLDER, "site");
      await run(python.command, ["-m", "pip", ...pip, "--target", site], "pip.log", "pip install --target");
      writeLaunchers(python.command, site);
    }
  });
  noteInstalled(PYTHON);
}

function hasVenv(command) {
  return spawnSync(command, ["-c", "import venv, ensurepip"], { stdio: "ignore" }).status === 0;
}

/**
 * Provides the commands that a venv would have, for packages installed with --target (whose own scripts do
 * not find them).
 */
function writeLaunchers(command, site) {
  const bin = join(PYTHON_FOLDER, "bin");
  mkdirSync(bin, { recursive: true });
  const here = 'here="$(cd "$(dirname "$0")" && pwd)"\nexport PYTHONPATH="$here/../site"\n';
  const launcher = (name, rest) =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${here}${rest}\n`, { mode: 0o755 });
  launcher("python", `exec ${command} "$@"`);
  launcher("aws", `exec ${command} -m awscli "$@"`);
  if (existsSync(join(site, "bin/awslocal")))
    launcher("awslocal", `exec ${command} "$here/../site/bin/awslocal" "$@"`);
}

/**
 * Two terminals may run setup at once. The second waits for the first, whose process id is the lock's
 * content.
 */
async function withLock(work) {
  const lock = join(ROOT, ".evenkeel/setup.lock");
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (!lockHolderLives(lock)) rmSync(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function lockHolderLives(lock) {
  try {
    process.kill(Number(readFileSync(lock, "utf8")) || process.pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

export async function setup() {
  requireNode();
  mkdirSync(LOG_FOLDER, { recursive: true });
  if (isInstalled()) return;
  await withLock(async () => {
    await installNodePackages();
    await installPythonPackages();
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await setup();
  } catch (error) {
    console.error(`evenkeel setup: ${error.message}`);
    process.exitCode = error.exitCode ?? 1;
  }
}
