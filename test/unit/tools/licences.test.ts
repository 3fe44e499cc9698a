/** tools/licences.mjs: what it accepts, and its one line about what it does not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inProject } from "../../../lab/project.ts";
import { Clone } from "./clone.ts";

let clone: Clone;
beforeEach(() => {
  clone = new Clone();
});
afterEach(() => clone.remove());

const write = () => clone.run("tools/licences.mjs", ["--write"]);
const check = () => clone.run("tools/licences.mjs");
/** A venv with these packages, each with the head of its METADATA. */
function python(packages: Readonly<Record<string, string>>): void {
  clone.write(
    "local/requirements.txt",
    Object.keys(packages)
      .map((name) => `${name}==1.0\n`)
      .join(""),
  );
  clone.write(".evenkeel/python/lib/python3.11/site-packages/present.txt", "");
  for (const [name, head] of Object.entries(packages))
    clone.write(
      `.evenkeel/python/lib/python3.11/site-packages/${name}-1.0.dist-info/METADATA`,
      `Name: ${name}\n${head}\n\nLicense: words of the description\n`,
    );
}

describe("npm packages", () => {
  beforeEach(() => python({}));

  it.each(["MIT", "ISC", "(MIT OR GPL-3.0-or-later)", "GPL-2.0 OR (Apache-2.0 AND BSD-3-Clause)"])(
    "shipped under %s pass",
    (license) => {
      clone.packages(["a"], { "node_modules/a": { license } });
      expect(write()).toEqual({ status: 0, out: "", err: "" });
      expect(check()).toEqual({ status: 0, out: "", err: "" });
    },
  );

  it.each(["GPL-3.0", "MIT AND GPL-3.0", "UNLICENSED", "SEE LICENSE IN LICENSE", "MPL-2.0", "(MIT", ""])(
    "shipped under %j are refused in one line",
    (license) => {
      clone.packages(["a"], { "node_modules/a": { license } });
      const { status, err } = write();
      expect(status).toBe(1);
      expect(err).toMatch(/^licences: a has the licence ".+"; for what is shipped expected MIT, .*\n$/);
    },
  );

  it("one whose manifest refers to its LICENSE passes when that was read by hand", () => {
    const license = "SEE LICENSE IN LICENSE";
    clone.packages(["a"], {
      "node_modules/a": { license: "MIT" },
      "node_modules/spawndamnit": { license, dev: true },
    });
    expect(write()).toEqual({ status: 0, out: "", err: "" });
    clone.packages(["a"], {
      "node_modules/a": { license: "MIT" },
      "node_modules/spawndamnit": { license: "GPL-3.0", dev: true },
    });
    expect(write()).toMatchObject({ status: 1 });
  });

  it("what a shipped one needs is shipped too, from the folder where Node finds it", () => {
    clone.packages(["a"], {
      "node_modules/a": { license: "MIT", dependencies: { b: "1" } },
      "node_modules/b": { license: "GPL-3.0", dev: true },
      "node_modules/a/node_modules/b": { license: "MIT", dependencies: { c: "1" } },
      "node_modules/c": { license: "AGPL-3.0" },
    });
    const lines = write().err.trim().split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/^licences: b has the licence "GPL-3.0"; for a tool/),
      expect.stringMatching(/^licences: c has the licence "AGPL-3.0"; for what is shipped/),
    ]);
  });

  it("a tool may be under MPL-2.0, but not once a service imports it", () => {
    clone.packages([], { "node_modules/@scope/tool": { license: "MPL-2.0", dev: true } });
    expect(write().status).toBe(0);
    clone.write("services/consumer/main.ts", 'import { x } from "@scope/tool/deep";\n');
    expect(write().err).toContain('@scope/tool has the licence "MPL-2.0"; for what is shipped');
  });

  it("what is installed counts, not what the lockfile says, in the old forms too", () => {
    clone.packages(["a", "b"], { "node_modules/a": { license: "MIT" }, "node_modules/b": {} });
    clone.write("node_modules/a/package.json", { license: { type: "GPL-3.0" } });
    clone.write("node_modules/b/package.json", { licenses: [{ type: "MIT" }, { type: "GPL-3.0" }] });
    expect(write().err).toMatch(/^licences: a has the licence "GPL-3.0"[^\n]*\n$/);
  });

  it("a list that is out of date fails, with the remedy", () => {
    clone.packages(["a"], { "node_modules/a": { license: "MIT" } });
    write();
    clone.packages(["a"], { "node_modules/a": { license: "ISC" } });
    expect(check()).toEqual({
      status: 1,
      out: "",
      err: "licences: docs/licences.md is out of date: run `node tools/licences.mjs --write` and read what changed\n",
    });
  });
});

describe("Python packages", () => {
  beforeEach(() => clone.packages([], {}));

  it("say their licence as an expression, as a classifier, or in words", () => {
    python({
      one: "License-Expression: BSD-3-Clause",
      two: "License: see below\nClassifier: License :: OSI Approved :: Apache Software License",
      three: "License: MIT",
      "dots.and-dashes": "License: ISC",
    });
    expect(write()).toEqual({ status: 0, out: "", err: "" });
    const list = readFileSync(join(clone.folder, "docs/licences.md"), "utf8");
    for (const row of ["| Apache-2.0 | 1 | `two` |", "| MIT | 1 | `three` |"]) expect(list).toContain(row);
  });

  it.each([
    ["License: GPL 3", 'bad has the licence "GPL 3"'],
    ["License: MIT\nClassifier: License :: OSI Approved :: Affero", 'bad has the licence "Affero"'],
    ["Summary: nothing said", 'bad has the licence "none given"'],
  ])("%j is refused", (head, message) => {
    python({ bad: head });
    expect(write()).toMatchObject({ status: 1, err: expect.stringContaining(message) });
  });

  it("that are not installed are said not to be checked, and npm's still are", () => {
    clone.packages(["a"], { "node_modules/a": { license: "GPL-3.0" } });
    const { status, err } = check();
    expect(status).toBe(1);
    expect(err).toContain("the Python packages are not installed, so they are not checked");
    expect(err).toContain('a has the licence "GPL-3.0"');
  });
});

it("npm run check runs it", () => {
  expect(readFileSync(inProject("package.json"), "utf8")).toContain("node tools/licences.mjs");
});
