/**
 * Checks the licence of every installed package, for npm and for the Python folder, and checks that
 * docs/licences.md lists them. Usage: `node tools/licences.mjs`, part of `npm run check`; `--write` rewrites
 * the list. Exit code 1: a licence is not allowed, or the list is out of date. Each finding is one line.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lockedPackages, packageName, shippedPaths } from "./packages.mjs";

const LIST = "docs/licences.md";

/** Licences allowed in shipped packages (tools/packages.mjs). 0BSD requires even less than BSD: no notice. */
const SHIPPED = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD"];
/**
 * Licences also allowed in tools on a developer's machine: no part of a tool is copied into a shipped
 * package.
 */
const TOOLS = {
  "BlueOak-1.0.0": "permissive, as MIT",
  "CC0-1.0": "public domain",
  "Python-2.0": "permissive: Python's own",
  "MPL-2.0": "asks for the source of changed files only, and none is changed",
};
/** npm packages whose manifest refers to a file, with the result of reading it. */
const NPM_READ_BY_HAND = {
  spawndamnit: { licence: "MIT", reason: "its file LICENSE has MIT's words" },
};
/** Python packages whose metadata do not name a single licence, with the result of reading them. */
const READ_BY_HAND = {
  docutils: {
    licence: "CC0-1.0 AND Python-2.0 AND BSD-2-Clause",
    reason: "its one GPL file, an Emacs mode, is not installed",
  },
  "python-dateutil": { licence: "BSD-3-Clause", reason: "all of it is, newer code under Apache-2.0 too" },
};

/** Whether `allowed` licences satisfy an SPDX expression: one side of an OR, both sides of an AND. */
export function isAllowed(expression, allowed) {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const operand = () => {
    if (tokens[at] !== "(") return allowed.includes(tokens[at++]);
    at += 1;
    const inner = either();
    return tokens[at++] === ")" && inner;
  };
  const joined = (word, part) => {
    const parts = [part()];
    while (tokens[at] === word) {
      at += 1;
      parts.push(part());
    }
    return parts;
  };
  const both = () => joined("AND", operand).every(Boolean);
  const either = () => joined("OR", both).some(Boolean);
  const verdict = either();
  return verdict && at === tokens.length;
}

/** npm's `license` field, or its older forms. */
const npmLicence = (name, { license, licenses }) => {
  if (license === "SEE LICENSE IN LICENSE" && Object.hasOwn(NPM_READ_BY_HAND, name))
    return NPM_READ_BY_HAND[name].licence;
  const given =
    license ?? (Array.isArray(licenses) ? licenses.map(({ type }) => type).join(" OR ") : licenses);
  return (typeof given === "object" ? given?.type : given) || "none given";
};

/**
 * The packages of the lockfile. The licence comes from the package's own package.json, or from the lockfile
 * if the package is for other machines.
 */
export function npmPackages(root) {
  const packages = lockedPackages(root);
  const shipped = shippedPaths(root, packages);
  return Object.entries(packages).map(([path, locked]) => {
    const manifest = join(root, path, "package.json");
    const name = packageName(path);
    const stated = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")) : locked;
    return { name, licence: npmLicence(name, stated), shipped: shipped.has(path) };
  });
}

const CLASSIFIERS = {
  "Apache Software License": "Apache-2.0",
  "BSD License": "BSD-3-Clause",
  "MIT License": "MIT",
  "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
  "Python Software Foundation License": "Python-2.0",
};
const WORDS = { "Apache License": "Apache-2.0" };

/**
 * The licence in a Python package's METADATA: an SPDX expression, else its single classifier, else its
 * License field.
 */
export function pythonLicence(name, metadata) {
  const byHand = READ_BY_HAND[name];
  if (byHand !== undefined) return byHand.licence;
  const head = metadata.split(/\r?\n\r?\n/, 1)[0];
  const field = (key) =>
    [...head.matchAll(new RegExp(`^${key}: (.+)$`, "gm"))].map(([, value]) => value.trim());
  const [expression] = field("License-Expression");
  if (expression !== undefined) return expression;
  const classifiers = field("Classifier").flatMap(
    (text) => /^License :: OSI Approved :: (.+)$/.exec(text)?.[1] ?? [],
  );
  if (classifiers.length === 1) return CLASSIFIERS[classifiers[0]] ?? classifiers[0];
  const words = field("License")[0] ?? "none given";
  return WORDS[words] ?? words;
}

const pythonName = (text) => text.toLowerCase().replaceAll(/[-_.]+/g, "-");

/** The packages of local/requirements.txt. Undefined if the Python folder is not installed. */
export function pythonPackages(root) {
  const folder = join(root, ".evenkeel/python");
  const site = existsSync(join(folder, "site")) ? join(folder, "site") : venvSite(folder);
  if (site === undefined) return undefined;
  const folders = new Map(
    readdirSync(site).flatMap((entry) => {
      const name = /^(.+)-[^-]+\.dist-info$/.exec(entry)?.[1];
      return name === undefined ? [] : [[pythonName(name), join(site, entry, "METADATA")]];
    }),
  );
  const pins = readFileSync(join(root, "local/requirements.txt"), "utf8").matchAll(/^([\w.-]+)==/gm);
  return [...pins].map(([, pin]) => {
    const name = pythonName(pin);
    const file = folders.get(name);
    const licence = file === undefined ? "not installed" : pythonLicence(name, readFileSync(file, "utf8"));
    return { name, licence, shipped: false };
  });
}

function venvSite(folder) {
  const library = join(folder, "lib");
  if (!existsSync(library)) return undefined;
  const version = readdirSync(library).find((name) => name.startsWith("python3"));
  return version === undefined ? undefined : join(library, version, "site-packages");
}

/** One line for each package with a licence that is not allowed. */
export function refusals(packages) {
  return packages.flatMap(({ name, licence, shipped }) => {
    const allowed = shipped ? SHIPPED : [...SHIPPED, ...Object.keys(TOOLS)];
    if (isAllowed(licence, allowed)) return [];
    const where = shipped ? "what is shipped" : "a tool";
    return [
      `${name} has the licence "${licence}"; for ${where} expected ${allowed.join(", ")}: use another package`,
    ];
  });
}

const code = (names) => names.map((name) => `\`${name}\``).join(", ");

/** A table with one row per licence, sorted by name. */
function table(packages) {
  const byLicence = new Map();
  for (const { name, licence } of packages)
    byLicence.set(licence, (byLicence.get(licence) ?? new Set()).add(name));
  const rows = [...byLicence].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    "| licence | number | packages |",
    "|---|---|---|",
    ...rows.map(([licence, names]) => `| ${licence} | ${names.size} | ${code([...names].toSorted())} |`),
  ].join("\n");
}

const lines = (entries, text) => entries.map(([name, value]) => `* ${text(name, value)}`).join("\n");

export const npmText = (npm) => `# Licences

Written by \`node tools/licences.mjs --write\`. \`npm run check\` fails when a licence is not allowed or this list is out
of date.

## Shipped

What an installed evenkeel brings along, and what the container images and the Lambda function contain. Allowed:
${SHIPPED.join(", ")}.

${table(npm.filter(({ shipped }) => shipped))}

## Tools

What runs on a developer's machine only. Also allowed:

${lines(Object.entries(TOOLS), (licence, reason) => `${licence}: ${reason}`)}

Read in the package itself, because its manifest refers to a file:

${lines(Object.entries(NPM_READ_BY_HAND), (name, { licence, reason }) => `\`${name}\`, ${licence}: ${reason}`)}

${table(npm.filter(({ shipped }) => !shipped))}
`;

export const pythonText = (python) => `
## Python: the embedded endpoint and the AWS tools

The packages of \`local/requirements.txt\`. The same is allowed as for tools. Read in the package itself, because its
metadata do not say it in one word:

${lines(Object.entries(READ_BY_HAND), (name, { licence, reason }) => `\`${name}\`, ${licence}: ${reason}`)}

${table(python)}
`;

/**
 * Returns the lines to print as errors. Without the Python folder, only npm's part of the list is checked.
 */
function check(root, write) {
  const npm = npmPackages(root);
  const python = pythonPackages(root);
  const problems = refusals([...npm, ...(python ?? [])]);
  const file = join(root, LIST);
  const wanted = npmText(npm) + (python === undefined ? "" : pythonText(python));
  const present = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (python !== undefined && write) writeFileSync(file, wanted);
  else if (python === undefined ? !present.startsWith(wanted) : present !== wanted)
    problems.push(`${LIST} is out of date: run \`node tools/licences.mjs --write\` and read what changed`);
  if (python === undefined)
    console.error("licences: the Python packages are not installed, so they are not checked");
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const problems = check(root, process.argv.includes("--write"));
  for (const problem of problems) console.error(`licences: ${problem}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
