import { spawn } from "node:child_process";
import { once } from "node:events";
import { inProject } from "../../../lab/project.ts";

export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program in the project's folder, with exactly this environment. */
export async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const child = spawn(command, args, { cwd: inProject(), env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk;
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, out, err };
}
