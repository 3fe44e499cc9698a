import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Interrupted } from "../../../lab/errors.ts";
import { runForeground, runLogged } from "../../../lab/process/child.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-child-"));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (
  script: string,
  change: { signal?: AbortSignal; timeoutMillis?: number; command?: string } = {},
) => ({
  name: "tool",
  command: process.execPath,
  arguments: ["-e", script],
  environment: {},
  logFile: join(folder, "tool.log"),
  timeoutMillis: 20_000,
  signal: new AbortController().signal,
  ...change,
});

describe("a step that runs as a child", () => {
  it("keeps its output in the log", async () => {
    await runLogged(run("console.log('to the log')"));
    expect(readFileSync(join(folder, "tool.log"), "utf8")).toContain("to the log");
  });

  it("fails with the line that tells why, and the log's name", async () => {
    const failing = runLogged(run("console.log('Error: no bucket'); console.log('bye'); process.exit(3)"));
    await expect(failing).rejects.toThrow(/^tool failed: Error: no bucket \(all of it: .*tool\.log\)$/);
  });

  it("is told apart from the runs before it in the same log", async () => {
    const failing = runLogged(run("console.log('only this'); process.exit(1)"));
    await expect(failing).rejects.toThrow("tool failed: only this");
  });

  it("that cannot be started points to doctor", async () => {
    await expect(runLogged(run("", { command: "/no/such/program" }))).rejects.toThrow("npx evenkeel doctor");
  });

  it("ends with its own children when interrupted", async () => {
    const stop = new AbortController();
    const script = `
      const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)"], { stdio: "ignore" });
      console.log("grandchild " + child.pid);
      setInterval(() => 0, 1000);`;
    const running = runLogged(run(script, { signal: stop.signal }));
    const grandchild = () =>
      Number(/grandchild (\d+)/.exec(readFileSync(join(folder, "tool.log"), "utf8"))?.[1]);
    await expect.poll(grandchild, { timeout: 10_000 }).toBeGreaterThan(0);
    stop.abort();
    await expect(running).rejects.toBeInstanceOf(Interrupted);
    await expect.poll(() => isRunning(grandchild()), { timeout: 10_000 }).toBe(false);
  });

  it("that takes too long is ended, and says so", async () => {
    await expect(runLogged(run("setInterval(() => 0, 1000)", { timeoutMillis: 300 }))).rejects.toThrow(
      "took over 0.3 s",
    );
  });
});

/** A killed process that its new parent has not reaped yet counts as gone. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false; // no such process any more
  }
}

describe("a service in the foreground", () => {
  it("gets SIGTERM and ends in its own way", async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const script = `process.on("SIGTERM", () => { console.log("bye"); process.exit(7); }); console.log("up"); setInterval(() => 0, 1000)`;
    const exitCode = await runForeground({
      command: process.execPath,
      arguments: ["-e", script],
      environment: {},
      signal: stop.signal,
      onLine: (line) => {
        lines.push(line);
        if (line === "up") stop.abort();
      },
    });
    expect({ exitCode, lines }).toEqual({ exitCode: 7, lines: ["up", "bye"] });
  });

  it("that is killed is told by the signal's name", async () => {
    const ended = await runForeground({
      command: process.execPath,
      arguments: ["-e", "setInterval(() => 0, 1000)"],
      environment: {},
      signal: new AbortController().signal,
      onStart: (pid) => process.kill(pid, "SIGKILL"),
    });
    expect(ended).toBe("SIGKILL");
  });

  it("has a channel by which it learns that its starter is gone", async () => {
    const ended = await runForeground({
      command: process.execPath,
      arguments: ["-e", "process.once('disconnect', () => process.exit(9)); process.disconnect()"],
      environment: {},
      signal: new AbortController().signal,
    });
    expect(ended).toBe(9);
  });
});
