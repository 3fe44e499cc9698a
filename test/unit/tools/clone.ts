/** A small stand-in for a clone, with a copy of tools/, so that a tool runs as in `npm run check`. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inProject } from "../../../lab/project.ts";

export class Clone {
  readonly folder = mkdtempSync(join(tmpdir(), "evenkeel-tools-"));

  constructor() {
    cpSync(inProject("tools"), join(this.folder, "tools"), { recursive: true });
    for (const folder of ["services", "docs"]) mkdirSync(join(this.folder, folder));
    this.write("local/requirements.txt", "");
  }

  write(path: string, content: string | object, mode = 0o644): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content), { mode });
  }

  /** `dependencies`: the project's own. `packages`: the content of the lockfile, by path. */
  packages(dependencies: readonly string[], packages: Readonly<Record<string, object>>): void {
    this.write("package.json", {
      name: "sample",
      dependencies: Object.fromEntries(dependencies.map((name) => [name, "1.0.0"])),
    });
    this.write("package-lock.json", { packages: { "": { name: "sample" }, ...packages } });
  }

  run(tool: string, args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(this.folder, tool), ...args], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, ...environment },
    });
    return { status, out: stdout, err: stderr };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
