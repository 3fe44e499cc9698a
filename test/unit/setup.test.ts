/** tools/setup.mjs on machines that lack something: one line, exit code 2, and nothing left half done. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inProject } from "../../lab/project.ts";

describe("set-up", () => {
  let clone = "";
  let path = "";

  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), "evenkeel-setup-"));
    path = join(clone, "path");
    for (const folder of ["tools", "local", "node_modules", "path"]) mkdirSync(join(clone, folder));
    for (const file of ["tools/setup.mjs", "local/requirements.txt", "package-lock.json"])
      cpSync(inProject(file), join(clone, file));
    // The npm packages are there: this test is about Python.
    const lockfile = readFileSync(join(clone, "package-lock.json"));
    writeFileSync(
      join(clone, "node_modules/.evenkeel-stamp"),
      createHash("sha256").update(lockfile).digest("hex"),
    );
  });
  afterEach(() => rmSync(clone, { recursive: true, force: true }));

  const setup = (environment: Record<string, string> = {}) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(clone, "tools/setup.mjs")], {
      encoding: "utf8",
      env: { PATH: path, ...environment },
    });
    return { status, stdout, stderr };
  };
  const python = (name: string, script: string) =>
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const expectNothingLeft = () => {
    expect(existsSync(join(clone, ".evenkeel/python"))).toBe(false);
    expect(existsSync(join(clone, ".evenkeel/setup.lock"))).toBe(false);
  };

  it("without Python on PATH says what is needed, what for, and what to do", () => {
    expect(setup()).toEqual({
      status: 2,
      stdout: "",
      stderr:
        "evenkeel setup: Python 3.10 or newer is needed for the local AWS endpoint and was not found: install it, or set PYTHON to it\n",
    });
    expectNothingLeft();
  });

  it("with an old Python says which one it found", () => {
    python("python3", "echo 3 8");
    const { status, stderr } = setup();
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining("(python3 is 3.8)") });
    expectNothingLeft();
  });

  it("a pip that fails is one line with the log's path, exit 1; the next run starts afresh", () => {
    python("python3", 'case "$*" in *version_info*) echo 3 11 ;; *) echo "no network" >&2; exit 1 ;; esac');
    for (const _run of ["first", "second"]) {
      const { status, stdout, stderr } = setup();
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(/^evenkeel setup: pip install --target failed \(exit 1\)\. .*pip\.log\n$/);
    }
    expect(readFileSync(join(clone, ".evenkeel/logs/pip.log"), "utf8")).toContain("no network");
    expect(existsSync(join(clone, ".evenkeel/setup.lock"))).toBe(false);
    expect(existsSync(join(clone, ".evenkeel/python/.evenkeel-stamp"))).toBe(false);
  });

  it("a lock left by a run that was killed is taken over", () => {
    mkdirSync(join(clone, ".evenkeel"));
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    writeFileSync(join(clone, ".evenkeel/setup.lock"), String(gone));
    expect(setup()).toMatchObject({ status: 2, stderr: expect.stringContaining("Python 3.10") });
    expectNothingLeft();
  });
});
