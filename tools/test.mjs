/**
 * Runs every test and ends with one line that scripts can read: `N passed, N failed[, N skipped]`.
 * Exit code 0 only when all passed and nothing broke around them. Arguments are passed on to vitest; without
 * `--project` those tests are left out that need a browser.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const manifest = createRequire(import.meta.url).resolve("vitest/package.json");
const vitest = join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin.vitest);
const folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
const resultFile = join(folder, "result.json");

const args = [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${resultFile}`];
const wanted = process.argv.slice(2);
const projects = wanted.some((arg) => arg.startsWith("--project")) ? [] : ["--project=!browser"];
const child = spawn(process.execPath, [...args, ...projects, ...wanted], {
  cwd: ROOT,
  stdio: "inherit",
  env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
});
// Ctrl-C reaches vitest too, which stops its tests and the endpoint in order: this process waits for it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
const [code] = await once(child, "exit");

const totals = readTotals();
rmSync(folder, { recursive: true, force: true });
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : "";
process.exitCode = code === 0 && totals.failed === 0 ? 0 : 1;
console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`);

function readTotals() {
  let result;
  try {
    result = JSON.parse(readFileSync(resultFile, "utf8"));
  } catch {
    // vitest ended before it could report: that is one failure, and its own output above says why.
    return { passed: 0, failed: 1, skipped: 0 };
  }
  // A file that does not load has no tests that could fail, so it counts as one failure of its own.
  const unloaded = result.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  const failed = result.numFailedTests + unloaded.length;
  // Something outside any test broke, e.g. an unhandled rejection or the shared endpoint.
  const around = code !== 0 && failed === 0 ? 1 : 0;
  return {
    passed: result.numPassedTests,
    failed: failed + around,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}
