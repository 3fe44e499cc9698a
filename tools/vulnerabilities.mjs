/**
 * Known vulnerabilities of what is shipped (tools/packages.mjs), as `npm audit` knows them: `node
 * tools/vulnerabilities.mjs`. Those of tools are shown and decide nothing.
 *
 * Exit code 0: none is known. 1: there are some. 3: not checked, because the audit service gave no answer that says so;
 * an answer that is not understood is never taken for "none".
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { packageName, shippedPaths } from "./packages.mjs";

const AUDIT_TIMEOUT_MILLIS = 120_000;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `{ notChecked: why }`, or the packages that are concerned: `{ shipped: [], tools: [] }`, a line each. */
export function readAudit(output, shipped) {
  let report;
  try {
    report = JSON.parse(output);
  } catch {
    return { notChecked: "npm audit gave no JSON" };
  }
  const { auditReportVersion, vulnerabilities, metadata, message } = report ?? {};
  // The address may carry a user's credentials for a registry of their own.
  if (typeof message === "string")
    return { notChecked: message.split("\n", 1)[0].replaceAll(/\/\/[^/@\s]*@/g, "//") };
  if (auditReportVersion !== 2 || typeof vulnerabilities !== "object" || vulnerabilities === null)
    return { notChecked: "npm audit answered in a form that is not known" };
  // With nothing looked at nothing is found, and that is no result.
  if (!(metadata?.dependencies?.total > 0)) return { notChecked: "npm audit looked at no package" };
  const found = { shipped: [], tools: [] };
  for (const { name, severity, range, nodes = [], via = [] } of Object.values(vulnerabilities)) {
    const titles = via
      .filter((cause) => typeof cause === "object")
      .map(({ title, url }) => `${title} ${url}`);
    const line = `${name} ${range}, ${severity}: ${titles.join("; ") || `through ${via.join(", ")}`}`;
    const where = nodes.length === 0 || nodes.some((path) => shipped.has(path)) ? "shipped" : "tools";
    found[where].push(line);
  }
  return found;
}

/** What to print, and the exit code. */
export function verdict(audit, packages) {
  if (audit.notChecked !== undefined)
    return { exitCode: 3, lines: [`vulnerabilities: not checked: ${audit.notChecked}`] };
  const { shipped, tools } = audit;
  const lines = [
    ...shipped.map((line) => `shipped: ${line}`),
    ...tools.map((line) => `tool, not shipped: ${line}`),
    `vulnerabilities: ${shipped.length === 0 ? "none" : shipped.length} known in the ${packages} packages that are shipped, ${tools.length} in tools`,
  ];
  return { exitCode: shipped.length === 0 ? 0 : 1, lines };
}

function main() {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { stdout, error } = spawnSync(npm, ["audit", "--json"], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: AUDIT_TIMEOUT_MILLIS,
  });
  const shipped = shippedPaths(ROOT);
  const audit = error
    ? { notChecked: `npm audit did not run: ${error.message}` }
    : readAudit(stdout, shipped);
  const { exitCode, lines } = verdict(audit, new Set([...shipped].map(packageName)).size);
  for (const line of lines) console.log(line);
  return exitCode;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
