/** Measured code runs in a process of its own, bundled: neither tsx nor the bench counts as its memory or CPU. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { inProject } from "../../lab/project.ts";

/** Bundles `programs/<name>.ts`; gives the path of the result. */
export const bundleProgram = (name: string): Promise<string> =>
  bundleFile(join(fileURLToPath(new URL("programs", import.meta.url)), `${name}.ts`), name);

/** The same of any file; `name` is the bundle's. */
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

/** Starts a bundled program; resolves with its first message. It goes on until it ends or is killed. */
export async function startProgram<Message>(
  file: string,
  input: object,
  options: ProgramOptions,
): Promise<{ readonly child: ChildProcess; readonly message: Message }> {
  const { nodeOptions = [], environment = {}, signal } = options;
  signal.throwIfAborted();
  const child = fork(file, [JSON.stringify(input)], {
    execArgv: [...nodeOptions],
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true", ...environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    signal,
  });
  const ended = once(child, "exit").then(([code, killed]): never => {
    throw new Error(`${file} ended (${killed ?? `exit code ${code}`}) before it had measured anything`);
  });
  ended.catch(() => undefined); // its end after the message is no news
  const [message] = (await Promise.race([once(child, "message"), ended])) as [Message];
  return { child, message };
}

/** The same, and waits for the program's end. */
export async function runProgram<Message>(
  file: string,
  input: object,
  options: ProgramOptions,
): Promise<Message> {
  const { child, message } = await startProgram<Message>(file, input, options);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return message;
}
