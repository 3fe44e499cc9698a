/**
 * Runs every test and ends with one line that scripts can parse: `N passed, N failed[, N skipped]`. The exit
 * code is 0 only if all tests passed and no error occurred outside them. Arguments are passed on to vitest.
 * Without `--project`, the tests that need a browser are left out.
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
// Ctrl-C also reaches vitest, which stops its tests and the endpoint in order. This process waits for it.
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
    // vitest ended before it could report. That is one failure; its own output above gives the reason.
    return { passed: 0, failed: 1, skipped: 0 };
  }
  // A file that does not load has no tests that could fail, so it counts as one failure.
  const unloaded = result.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  const failed = result.numFailedTests + unloaded.length;
  // An error outside any test, e.g. an unhandled rejection or the shared endpoint.
  const around = code !== 0 && failed === 0 ? 1 : 0;
  return {
    passed: result.numPassedTests,
    failed: failed + around,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}
