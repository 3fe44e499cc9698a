/**
 * Whatever is typed after `evenkeel`: help is shown, or one line says what is wrong, or the command would
 * run.
 */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Context } from "../../lab/cli/context.ts";
import { reportError } from "../../lab/cli/errors.ts";
import { buildProgram } from "../../lab/cli/program.ts";
import { systemClock } from "../../src/platform.ts";
import { RUNS, TIMEOUT_MILLIS } from "./runs.ts";

vi.setConfig({ testTimeout: TIMEOUT_MILLIS });

/** The program as main.ts makes it, with commands that do nothing. */
function program() {
  const lines: string[] = [];
  const stream = {
    isTTY: false,
    write: (text: string) => lines.push(text) > 0,
  } as unknown as NodeJS.WriteStream;
  const context: Context = {
    ...{ clock: systemClock, signal: new AbortController().signal, colour: false },
    ...{ stdout: stream, stderr: stream },
    print: (line) => lines.push(line),
    printJson: (value) => lines.push(JSON.stringify(value)),
    note: (line) => lines.push(line),
    notOk: () => expect.fail("no command runs here"),
  };
  const built = buildProgram(context);
  const ran: string[] = [];
  for (const command of built.commands) command.action(() => void ran.push(command.name()));
  return { built, context, lines, ran };
}

const { built } = program();
const commands = built.commands.map((command) => command.name());
const flags = [built, ...built.commands].flatMap((command) =>
  command.options.flatMap(({ long, short }) => [long, short].filter((flag) => flag != null)),
);
const words = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...flags) },
  {
    weight: 3,
    arbitrary: fc.constantFrom("5", "0", "-1", "1e3", "0x10", "fast", "polling", "out", "NaN", "1e400"),
  },
  { weight: 1, arbitrary: fc.constantFrom(...commands, "help", "--", "-", "", "--help", "-h", "-V") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "--no-such",
      "--rate=",
      "--rate=x",
      "--__proto__",
      "-xyz",
      "a\nb",
      "x".repeat(5_000),
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
);
const mistyped = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...commands) },
  fc.constantFrom("", "scal", "SCALE", "__proto__", "constructor", "toString", "hasOwnProperty"),
  fc.string({ maxLength: 12 }),
);

describe("any command line", () => {
  it("runs one command, shows help, or says in one line what is wrong", async () => {
    await fc.assert(
      fc.asyncProperty(mistyped, fc.array(words, { maxLength: 6 }), async (command, rest) => {
        const { built, context, lines, ran } = program();
        let exitCode = 0;
        try {
          await built.parseAsync(["node", "evenkeel", command, ...rest]);
        } catch (error) {
          exitCode = reportError(error, context, built);
        }
        const text = lines.join("\n");
        if (!rest.includes("--verbose")) expect(text).not.toMatch(/\n\s+at /);
        expect(text).not.toContain("unexpected");
        expect(exitCode).toBeOneOf([0, 2]);
        if (exitCode === 0) {
          if (ran.length === 0) expect(text).toContain("Usage:");
          else expect(ran).toHaveLength(1);
          return;
        }
        expect(ran).toEqual([]);
        const problems = lines.filter((line) => line.startsWith("error: "));
        if (problems.length === 0) expect(text).toContain("Usage:");
        else expect(problems).toEqual([expect.stringMatching(/^error: [^\n]+$/)]);
      }),
      { numRuns: RUNS * 5 },
    );
  });
});
