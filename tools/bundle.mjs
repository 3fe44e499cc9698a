/**
 * Bundles the programs that run on this machine to `.evenkeel/build/<name>.mjs`. A bundle is rebuilt only if
 * a source file, the lockfile or this file changed. A bundle starts several times faster than the same
 * program through tsx. That matters when five consumers start at once on two cores.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BUILD_FOLDER = join(ROOT, ".evenkeel/build");

export const ENTRIES = {
  local: "local/main.ts",
  consumer: "services/consumer/main.ts",
  producer: "services/producer/main.ts",
  cli: "lab/cli/main.ts",
  synth: "infra/app.ts",
};

/**
 * Excluded from bundles: these packages find their own files at run time, contain binaries, or are programs.
 */
const EXTERNAL = [
  "aws-cdk",
  "aws-cdk-lib",
  "aws-cdk-local",
  "cdk-nag",
  "constructs",
  "dynalite",
  "esbuild",
  "kinesalite",
  "kinesis-local",
  "playwright-core",
  "tsx",
  "typescript",
  "vitest",
];

// CommonJS dependencies call `require`, which an ES module does not have.
const REQUIRE_BANNER =
  'import { createRequire as evenkeelCreateRequire } from "node:module"; const require = evenkeelCreateRequire(import.meta.url);';

const stampFile = (name) => join(BUILD_FOLDER, `${name}.stamp.json`);

function toolFingerprint() {
  const hash = createHash("sha256");
  for (const file of ["package-lock.json", "tools/bundle.mjs"]) hash.update(readFileSync(join(ROOT, file)));
  return hash.digest("hex");
}

function signature(file) {
  const stat = statSync(join(ROOT, file), { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs}:${stat.size}` : "missing";
}

function isFresh(name, fingerprint) {
  if (!existsSync(join(BUILD_FOLDER, `${name}.mjs`)) || !existsSync(stampFile(name))) return false;
  const stamp = JSON.parse(readFileSync(stampFile(name), "utf8"));
  return (
    stamp.fingerprint === fingerprint &&
    Object.entries(stamp.inputs).every(([file, known]) => signature(file) === known)
  );
}

async function build(esbuild, name, fingerprint) {
  const outfile = join(BUILD_FOLDER, `${name}.mjs`);
  const result = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: [ENTRIES[name]],
    outfile,
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node20",
    mainFields: ["module", "main"],
    external: EXTERNAL,
    banner: { js: REQUIRE_BANNER },
    // Identifiers are not minified: logs and error handling use class names.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: "external",
    legalComments: "none",
    logLevel: "silent",
  });
  // The lockfile covers the packages in node_modules, so only our own files are compared.
  const own = Object.keys(result.metafile.inputs).filter((file) => !file.includes("node_modules/"));
  const inputs = Object.fromEntries(own.map((file) => [file, signature(file)]));
  for (const file of result.outputFiles) replaceFile(file.path, file.contents);
  replaceFile(stampFile(name), JSON.stringify({ fingerprint, inputs }));
}

/** Replaces the file atomically: a process that starts from it at this moment reads a complete file. */
function replaceFile(path, contents) {
  const temporary = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

/**
 * Brings the bundles of `names` (default: all) up to date. Returns which bundles were rebuilt, and which were
 * skipped because their entry does not exist. Throws an error whose message is esbuild's list of errors in
 * the source.
 */
export async function bundle(names = Object.keys(ENTRIES)) {
  const unknown = names.find((name) => !(name in ENTRIES));
  if (unknown !== undefined)
    throw new Error(`No bundle is called "${unknown}": choose from ${Object.keys(ENTRIES).join(", ")}`);
  const skipped = names.filter((name) => !existsSync(join(ROOT, ENTRIES[name])));
  const fingerprint = toolFingerprint();
  const stale = names.filter((name) => !skipped.includes(name) && !isFresh(name, fingerprint));
  if (stale.length > 0) {
    const esbuild = await import("esbuild");
    await Promise.all(stale.map((name) => build(esbuild, name, fingerprint)));
  }
  return { built: stale, skipped };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  try {
    const { built, skipped } = await bundle(names.length > 0 ? names : undefined);
    const list = (found) => (found.length > 0 ? found.join(", ") : "none");
    const note = skipped.length > 0 ? `; skipped, no entry file yet: ${list(skipped)}` : "";
    console.error(`Bundles in ${relative(process.cwd(), BUILD_FOLDER) || "."} built: ${list(built)}${note}`);
  } catch (error) {
    console.error(`evenkeel bundle: ${error.message}`);
    process.exitCode = 1;
  }
}
