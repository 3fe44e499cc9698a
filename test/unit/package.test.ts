/** The package as npm packs it, in an empty folder that has only the engine's few dependencies. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inProject } from "../../lab/project.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-package-"));
const stage = join(folder, "stage");
const user = join(folder, "user");
const installed = join(user, "node_modules", "evenkeel");
const manifest = JSON.parse(readFileSync(inProject("package.json"), "utf8"));
const tsc = inProject("node_modules", "typescript", "bin", "tsc");

function run(command: string, args: string[], cwd: string) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 90_000, // a program that does not end fails the test that started it
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
  });
  return { status, stdout, stderr };
}

/** The same name in the user's node_modules. Its own dependencies are found beside the original. */
function link(name: string): void {
  const place = join(user, "node_modules", name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(inProject("node_modules", name), place);
}

describe("npm pack", () => {
  let packed: string[] = [];

  beforeAll(() => {
    // Beside the clone's own dist, which may be in the middle of a build.
    mkdirSync(stage);
    mkdirSync(installed, { recursive: true });
    const build = run(
      process.execPath,
      [tsc, "-p", "tsconfig.build.json", "--outDir", join(stage, "dist")],
      inProject(),
    );
    expect(build).toMatchObject({ status: 0, stdout: "" });
    for (const name of ["package.json", "lab", "tools", ...manifest.files])
      if (name !== "dist" && existsSync(inProject(name)))
        cpSync(inProject(name), join(stage, name), { recursive: true });
    const pack = run(
      "npm",
      ["pack", "--json", "--offline", "--ignore-scripts", "--pack-destination", folder],
      stage,
    );
    expect(pack).toMatchObject({ status: 0 });
    const [{ filename, files }] = JSON.parse(pack.stdout);
    packed = files.map((file: { path: string }) => file.path);
    const unpack = run(
      "tar",
      ["-xzf", join(folder, filename), "--strip-components=1", "-C", installed],
      folder,
    );
    expect(unpack).toMatchObject({ status: 0, stderr: "" });
    for (const name of Object.keys(manifest.dependencies)) link(name);
    writeFileSync(join(user, "package.json"), '{ "type": "module", "private": true }');
  }, 180_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("takes the engine along, and of the lab the launcher alone", () => {
    const rooms = packed.filter((path) => path.includes("/")).map((path) => path.split("/")[0]);
    expect([...new Set(rooms)].toSorted()).toEqual(["dist", "lab"]);
    expect(packed.filter((path) => path.startsWith("lab/"))).toEqual(["lab/bin/evenkeel.mjs"]);
    for (const entry of ["index", "inspect", "testing"])
      expect(packed).toEqual(expect.arrayContaining([`dist/${entry}.js`, `dist/${entry}.d.ts`]));
    expect(packed).toEqual(expect.arrayContaining(["LICENSE", "package.json"]));
  });

  it("depends on SDK clients and their HTTP handler only", () => {
    const others = Object.keys(manifest.dependencies).filter((name) => !name.startsWith("@aws-sdk/client-"));
    expect(others).toEqual(["@smithy/node-http-handler"]);
  });

  it("takes the SDK in ranges, so that npm installs one copy for the service and for us; the clone is pinned", () => {
    const isRange = (version: string) => /^\^\d+\.\d+\.\d+$/.test(version);
    expect(Object.values<string>(manifest.dependencies).filter((version) => !isRange(version))).toEqual([]);
    const isPinned = (version: string) => /^\d+\.\d+\.\d+$/.test(version);
    expect(Object.values<string>(manifest.devDependencies).filter((version) => !isPinned(version))).toEqual(
      [],
    );
    const lock = JSON.parse(readFileSync(inProject("package-lock.json"), "utf8"));
    expect(lock.packages[""].dependencies).toEqual(manifest.dependencies);
    // The lowest versions of the ranges are the ones tested here.
    for (const [name, range] of Object.entries<string>(manifest.dependencies))
      expect(`^${lock.packages[`node_modules/${name}`].version}`).toBe(range);
  });

  it("works on the Node that it says: so do the oldest versions that it takes", () => {
    const lock = JSON.parse(readFileSync(inProject("package-lock.json"), "utf8"));
    const [, least] = /^>=(\d+)\./.exec(manifest.engines.node) ?? [];
    for (const name of Object.keys(manifest.dependencies)) {
      const [, theirs] = /^>=\s*(\d+)/.exec(lock.packages[`node_modules/${name}`].engines.node) ?? [];
      expect(Number(theirs)).toBeLessThanOrEqual(Number(least));
    }
  });

  it("plain node imports createWorker, whose errors name the option", () => {
    writeFileSync(
      join(user, "app.js"),
      `import { createWorker, OptionError } from "evenkeel";
       const options = { applicationName: "orders", streamName: "orders", processRecords: async () => {} };
       const worker = createWorker({ ...options, region: "us-east-1" });
       console.log(worker.status().state);
       try { createWorker({ ...options, failoverTimeMillis: -1 }); }
       catch (error) { console.log(error instanceof OptionError, error.message.includes("failoverTimeMillis")); }`,
    );
    const app = run(process.execPath, ["app.js"], user);
    expect(app).toMatchObject({ status: 0, stderr: "" });
    expect(app.stdout).toMatch(/^\w+\ntrue true\n$/);
  });

  it("esbuild makes one ES module of it that needs no `require`", async () => {
    writeFileSync(
      join(user, "whole.js"),
      `import { createWorker } from "evenkeel";
       import { planLeases } from "evenkeel/inspect";
       import { VirtualClock } from "evenkeel/testing";
       const options = { applicationName: "orders", streamName: "orders", processRecords: async () => {} };
       console.log(createWorker({ ...options, region: "us-east-1" }).status().state, [planLeases, VirtualClock].length);`,
    );
    const { warnings } = await build({
      // As docs/own-service.md says.
      ...{ bundle: true, platform: "node", format: "esm", mainFields: ["module", "main"] },
      ...{ absWorkingDir: user, entryPoints: ["whole.js"], outfile: "bundle.mjs", logLevel: "silent" },
    });
    expect(warnings).toEqual([]);
    const alone = join(folder, "alone");
    mkdirSync(alone);
    cpSync(join(user, "bundle.mjs"), join(alone, "bundle.mjs"));
    expect(run(process.execPath, ["bundle.mjs"], alone)).toEqual({
      ...{ status: 0, stdout: "created 2\n", stderr: "" },
    });
  }, 60_000);

  it("has no side effects: an import of it that is not used leaves nothing in a bundle", async () => {
    const { outputFiles } = await build({
      stdin: { contents: 'import { createWorker } from "evenkeel";', resolveDir: user },
      ...{ bundle: true, platform: "node", format: "esm", write: false, logLevel: "silent" },
    });
    expect(outputFiles[0]!.text).toBe("");
  });

  it("its types resolve under nodenext, and refuse what is wrong", () => {
    link("@types/node");
    writeFileSync(
      join(user, "app.ts"),
      `import { createWorker, type ConsumerRecord, type Worker } from "evenkeel";
       const seen: ConsumerRecord[] = [];
       const worker: Worker = createWorker({
         applicationName: "orders",
         streamName: "orders",
         processRecords: async ({ records, checkpoint, signal }) => {
           if (!signal.aborted) seen.push(...records);
           await checkpoint();
         },
       });
       await worker.start();
       const text: string = seen[0]!.partitionKey;
       // @ts-expect-error a string is no number of milliseconds
       createWorker({ applicationName: "a", streamName: text, processRecords: async () => {}, failoverTimeMillis: "10" });
       // @ts-expect-error no such option
       createWorker({ applicationName: "a", streamName: text, processRecords: async () => {}, failoverMillis: 10 });
       // @ts-expect-error no such method
       worker.begin();
      `,
    );
    const options = ["--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--types", "node"];
    const check = run(
      process.execPath,
      [tsc, ...options, "--module", "nodenext", "--moduleResolution", "nodenext", "app.ts"],
      user,
    );
    expect(check).toMatchObject({ status: 0, stdout: "" });
  }, 120_000);

  it("its command says in one line where the command line is, exit 2", () => {
    const command = run(process.execPath, [join(installed, manifest.bin.evenkeel), "experiment"], user);
    expect(command).toEqual({
      status: 2,
      stdout: "",
      stderr: expect.stringMatching(/^error: the command line works in a clone of evenkeel only[^\n]*\n$/),
    });
  });
});
