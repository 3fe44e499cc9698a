/** House rules that neither the compiler nor the linter checks. Each message says what to write instead. */
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { extname, join } from "node:path";
import { expect, it } from "vitest";
import { inProject, projectRoot } from "../../lab/project.ts";

/** What git ignores: made by tools, not written by hand. */
const NOT_OURS = new Set(["node_modules", "dist", "out", ".evenkeel", "cdk.out", "coverage", ".git"]);
const CODE = new Set([".ts", ".mjs", ".js"]);
const TEXT = new Set([...CODE, ".json", ".md", ".yaml", ".yml", ".sh", ".txt", ".css", ".html", ""]);
const MAX_LINES = 400;

function filesBelow(folder: string): string[] {
  return readdirSync(inProject(folder), { withFileTypes: true })
    .filter((entry) => !NOT_OURS.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path);
      return entry.isFile() && TEXT.has(extname(path)) ? [path] : [];
    });
}

interface SourceFile {
  readonly path: string;
  readonly isCode: boolean;
  readonly lines: readonly string[];
}

const sources: SourceFile[] = filesBelow("").map((path) => ({
  path,
  isCode: CODE.has(extname(path)),
  lines: readFileSync(inProject(path), "utf8").split("\n"),
}));
const code = sources.filter((file) => file.isCode);
const services = code.filter(({ path }) => /^(src|services)\//.test(path));

const isComment = (line: string): boolean => /^\s*(\/\/|\/?\*)/.test(line);

/** `file:line: text → remedy` for every line that matches `pattern`, except comments. */
function offences(files: readonly SourceFile[], pattern: RegExp, remedy: string): string[] {
  return files.flatMap(({ path, isCode, lines }) =>
    lines.flatMap((line, i) =>
      pattern.test(line) && !(isCode && isComment(line))
        ? [`${path}:${i + 1}: ${line.trim()} → ${remedy}`]
        : [],
    ),
  );
}

const except = (files: readonly SourceFile[], allowed: RegExp) =>
  files.filter(({ path }) => !allowed.test(path));

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

it("looks at the whole project", () => {
  const rooms = new Set(code.map(({ path }) => path.split("/")[0]));
  expect([...rooms]).toEqual(
    expect.arrayContaining(["infra", "lab", "local", "services", "src", "test", "tools"]),
  );
});

it("the library and the services take time and randomness as ports: only src/platform.ts touches the machine's", () => {
  const others = except(services, /^src\/platform\.ts$/);
  const time = /\b(Date\.now|performance\.now|setTimeout|setInterval)\b|new Date\(\)/;
  const chance = /\b(Math\.random|randomUUID|randomBytes|getRandomValues)\b/;
  expect([
    ...offences(others, time, "take a Clock (src/ports/clock.ts)"),
    ...offences(others, chance, "take a Random (src/ports/random.ts), or a name from randomSuffix"),
  ]).toEqual([]);
});

it("the library and the services read the environment at their edge only", () => {
  const edge = /\/(main|handler|settings|environment|options|aws-clients)\.ts$/;
  expect(
    offences(
      except(services, edge),
      /\bprocess\.env\b/,
      "read it in the service's settings, and pass the value",
    ),
  ).toEqual([]);
});

it(`no file has more than ${MAX_LINES} lines, comments apart`, () => {
  const count = (lines: readonly string[]) => lines.filter((line) => !isComment(line)).length - 1;
  const long = code
    .filter(({ lines }) => count(lines) > MAX_LINES)
    .map(
      ({ path, lines }) => `${path}: ${count(lines)} lines → move a part with a name of its own to a file`,
    );
  expect(long).toEqual([]);
});

it("no test is left out without a reason", () => {
  const tests = code.filter(({ path }) => path.startsWith("test/"));
  const unreasoned = tests.map((file) => ({
    ...file,
    lines: file.lines.map((line, i) => (/\/\//.test(file.lines[i - 1] ?? "") ? "" : line)),
  }));
  const call = (names: string) => new RegExp(`\\b(it|test|describe|suite)(\\.\\w+)*\\.(${names})\\b(?!If)`);
  expect([
    ...offences(tests, call("only|todo"), "run it with all the others, or write it"),
    ...offences(unreasoned, call("skip|fails"), "say why in a comment above, or delete it"),
  ]).toEqual([]);
});

it("nothing is put off", () => {
  expect(
    offences(sources, /\b(FIX[M]E|X[X]X|HA[C]K)\b/, "fix it, or say the limitation in plain words"),
  ).toEqual([]);
});

it("no file names a package registry or a folder of somebody's machine", () => {
  const registry =
    /\b(registry\.(npmjs|yarnpkg)\.\w+|files\.pythonhosted\.\w+|pypi\.org|artifactory|--index-url)\b/i;
  const folders = [projectRoot, homedir()].filter((folder) => folder.split("/").length > 2).map(literally);
  const machine = new RegExp([...folders, String.raw`/(home|Users)/[a-z]\w*/`].join("|"));
  const written = sources.filter(({ path }) => path !== "package-lock.json");
  expect([
    ...offences(
      except(sources, /tidy\.test\.ts$/),
      registry,
      "leave the registry to npm's and pip's own settings",
    ),
    ...offences(written, machine, "a path relative to the project, or inProject()"),
  ]).toEqual([]);
});

it("the lockfile names no registry, so that a clone installs from the user's own", () => {
  const lock: { packages: Record<string, { resolved?: string }> } = JSON.parse(
    readFileSync(inProject("package-lock.json"), "utf8"),
  );
  const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined);
  expect(
    resolved.map(([path]) => `${path} → npm install with .npmrc's omit-lockfile-registry-resolved=true`),
  ).toEqual([]);
});
