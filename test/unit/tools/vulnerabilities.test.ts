/** tools/vulnerabilities.mjs against an `npm` that answers like the audit service, or not at all. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Clone } from "./clone.ts";

let clone: Clone;
beforeEach(() => {
  clone = new Clone();
  clone.packages(["a"], {
    "node_modules/a": { license: "MIT" },
    "node_modules/tool": { license: "MIT", dev: true },
  });
});
afterEach(() => clone.remove());

/** Runs the tool with an `npm audit` that writes `output` and ends with `exitCode`. */
function audited(output: string | object, exitCode = 0) {
  clone.write("answer", output);
  clone.write("bin/npm", `#!/bin/sh\ncat "${join(clone.folder, "answer")}"\nexit ${exitCode}\n`, 0o755);
  return clone.run("tools/vulnerabilities.mjs", [], {
    PATH: `${join(clone.folder, "bin")}:${process.env.PATH}`,
  });
}

const report = (vulnerabilities: object, total = 2) => ({
  auditReportVersion: 2,
  vulnerabilities,
  metadata: { vulnerabilities: {}, dependencies: { total } },
});
const hole = (name: string) => ({
  [name]: {
    ...{ name, severity: "high", range: "<2.0.0", nodes: [`node_modules/${name}`] },
    via: [{ title: "A hole", url: "https://example.com/1" }],
  },
});

describe("the audit service answers", () => {
  it("nothing known: exit 0", () => {
    expect(audited(report({}))).toEqual({
      ...{ status: 0, err: "" },
      out: "vulnerabilities: none known in the 1 packages that are shipped, 0 in tools\n",
    });
  });

  it("one in what is shipped: exit 1, with what and where", () => {
    const { status, out } = audited(report(hole("a")), 1);
    expect(status).toBe(1);
    expect(out).toContain("shipped: a <2.0.0, high: A hole https://example.com/1\n");
    expect(out).toContain("vulnerabilities: 1 known in the 1 packages that are shipped");
  });

  it("one in a tool is shown and decides nothing", () => {
    const { status, out } = audited(report(hole("tool")), 1);
    expect(status).toBe(0);
    expect(out).toContain("tool, not shipped: tool <2.0.0, high");
  });
});

describe("no answer that says so is never “none”", () => {
  it.each([
    ["the service refuses", { message: "405 Method Not Allowed", statusCode: 405 }, "405 Method Not Allowed"],
    ["no JSON", "<html>", "npm audit gave no JSON"],
    ["no output", "", "npm audit gave no JSON"],
    ["null", "null", "in a form that is not known"],
    [
      "another version of the report",
      { auditReportVersion: 3, vulnerabilities: {} },
      "a form that is not known",
    ],
    ["an empty object", {}, "in a form that is not known"],
    ["a report on nothing", report({}, 0), "npm audit looked at no package"],
  ])("%s: exit 3, not checked", (_, output, why) => {
    const { status, out } = audited(output, 1);
    expect({ status, out }).toEqual({
      status: 3,
      out: expect.stringMatching(new RegExp(`^vulnerabilities: not checked: .*${why}\n$`)),
    });
  });

  it("no npm: exit 3, not checked", () => {
    const { status, out } = clone.run("tools/vulnerabilities.mjs", [], { PATH: clone.folder });
    expect({ status, out }).toEqual({
      status: 3,
      out: expect.stringContaining("not checked: npm audit did not run"),
    });
  });

  it("does not show the credentials of a registry's address", () => {
    const { out } = audited({ message: "404 Not Found - POST https://me:secret@example.com/audit" }, 1);
    expect(out).not.toContain("secret");
  });
});
