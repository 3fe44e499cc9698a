/** The user's credentials appear in no output: not in data, remarks or errors. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Context } from "../../../lab/cli/context.ts";
import { reportError } from "../../../lab/cli/errors.ts";
import { buildProgram } from "../../../lab/cli/program.ts";
import { systemClock } from "../../../src/platform.ts";

const OWN = {
  AWS_ACCESS_KEY_ID: "AKIAOWN",
  AWS_SECRET_ACCESS_KEY: "own-secret",
  AWS_SESSION_TOKEN: "own-token",
};
/** Nothing listens on the discard port. */
const SILENT = "http://127.0.0.1:9";

beforeEach(() => {
  for (const [name, value] of Object.entries({ ...OWN, AWS_ENDPOINT_URL: SILENT })) vi.stubEnv(name, value);
});
afterEach(() => vi.unstubAllEnvs());

async function outputOf(args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const stream = {
    isTTY: false,
    write: (text: string) => lines.push(text) > 0,
  } as unknown as NodeJS.WriteStream;
  const context: Context = {
    ...{ clock: systemClock, signal: new AbortController().signal, colour: false },
    ...{ stdout: stream, stderr: stream, notOk: () => undefined },
    print: (line) => lines.push(line),
    printJson: (value) => lines.push(JSON.stringify(value)),
    note: (line) => lines.push(line),
  };
  const program = buildProgram(context);
  await program
    .parseAsync(["node", "evenkeel", ...args])
    .catch((error: unknown) => reportError(error, context, program));
  return lines.join("\n");
}

it.each(["env", "env --json", "doctor", "doctor --json", "config", "verify-stream --verbose"])(
  "evenkeel %s",
  async (command) => {
    const output = await outputOf(command.split(" "));
    expect(output).not.toBe("");
    for (const secret of Object.values(OWN)) expect(output).not.toContain(secret);
  },
);

it("evenkeel env leads to the endpoint all the same, and gives credentials where the user has none", async () => {
  expect(await outputOf(["env"])).toContain(`export AWS_ENDPOINT_URL='${SILENT}'`);
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  expect(await outputOf(["env"])).toContain("export AWS_SECRET_ACCESS_KEY='test'");
});
