/**
 * Measured code runs in a process of its own, bundled: its memory and CPU include neither tsx nor the
 * benchmark.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { inProject } from "../../lab/project.ts";
import { isolatedEnvironment } from "../../local/index.ts";

/** Bundles `programs/<name>.ts`. @returns the path of the bundle */
export const bundleProgram = (name: string): Promise<string> =>
  bundleFile(join(fileURLToPath(new URL("programs", import.meta.url)), `${name}.ts`), name);

/** Bundles any file; `name` is the bundle's name. */
export async function bundleFile(file: string, name: string): Promise<string> {
  const outfile = inProject(".evenkeel", "build", "bench", `${name}.mjs`);
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    mainFields: ["module", "main"],
    external: ["dynalite", "kinesalite"],
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: "silent",
    banner: {
      js: 'import { createRequire as benchRequire } from "node:module"; const require = benchRequire(import.meta.url);',
    },
  });
  return outfile;
}

export interface ProgramOptions {
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * Starts a bundled program and resolves with its first message. The program runs until it ends or is killed.
 */
export async function startProgram<Message>(
  file: string,
  input: object,
  options: ProgramOptions,
): Promise<{ readonly child: ChildProcess; readonly message: Message }> {
  const { nodeOptions = [], environment = {}, signal } = options;
  signal.throwIfAborted();
  const child = fork(file, [JSON.stringify(input)], {
    execArgv: [...nodeOptions],
    env: { ...isolatedEnvironment(process.env), ...environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    signal,
  });
  const ended = once(child, "exit").then(([code, killed]): never => {
    throw new Error(`${file} ended (${killed ?? `exit code ${code}`}) before it had measured anything`);
  });
  ended.catch(() => undefined); // after the message, its end is no error
  const [message] = (await Promise.race([once(child, "message"), ended])) as [Message];
  return { child, message };
}

/** Like `startProgram`, but also waits for the program's end. */
export async function runProgram<Message>(
  file: string,
  input: object,
  options: ProgramOptions,
): Promise<Message> {
  const { child, message } = await startProgram<Message>(file, input, options);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return message;
}
