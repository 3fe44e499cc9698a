/**
 * Known vulnerabilities of the shipped packages (tools/packages.mjs), according to `npm audit`. Usage: `node
 * tools/vulnerabilities.mjs`. Vulnerabilities of tools are listed but do not affect the exit code.
 *
 * Exit code 0: none is known. 1: there are some. 3: not checked, because the audit service gave no usable
 * answer. An answer that cannot be parsed is never taken for "none".
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { packageName, shippedPaths } from "./packages.mjs";

const AUDIT_TIMEOUT_MILLIS = 120_000;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `{ notChecked: why }`, or one line per affected package: `{ shipped: [], tools: [] }`. */
export function readAudit(output, shipped) {
  let report;
  try {
    report = JSON.parse(output);
  } catch {
    return { notChecked: "npm audit gave no JSON" };
  }
  const { auditReportVersion, vulnerabilities, metadata, message } = report ?? {};
  // The address may contain a user's credentials for a private registry.
  if (typeof message === "string")
    return { notChecked: message.split("\n", 1)[0].replaceAll(/\/\/[^/@\s]*@/g, "//") };
  if (auditReportVersion !== 2 || typeof vulnerabilities !== "object" || vulnerabilities === null)
    return { notChecked: "npm audit answered in a form that is not known" };
  // An audit that looked at no packages finds nothing, which is not a result.
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

/** The lines to print, and the exit code. */
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
