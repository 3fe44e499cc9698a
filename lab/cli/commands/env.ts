import type { Register } from "../context.ts";

export const registerEnv: Register = (program, context) => {
  program
    .command("env")
    .description(
      'lines for your shell: eval "$(npx evenkeel env)" leads cdklocal, awslocal, cdk and SDKs to the endpoint',
    )
    .option("--json", "as JSON; null: a variable that must go")
    .action(async (_local, command) => {
      const options = command.optsWithGlobals();
      const { addressOf, awsVariables, resolveTarget } = await import("../../aws/target.ts");
      const { strayVariables, toolEnvironment } = await import("../../../local/index.ts");
      const target = await resolveTarget({ aws: options.aws, environment: process.env });
      const address = addressOf(target);
      const set: Record<string, string> = {
        ...(address === undefined ? awsVariables(target) : toolEnvironment(address)),
      };
      // The user's own settings are for real AWS, so they are kept there.
      const stray = address === undefined ? [] : strayVariables(process.env, set);
      // Another endpoint's credentials are the user's own. The shell already has them, and they may be
      // secret, so they are not printed.
      if (target.kind === "endpoint")
        for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
          if (set[name] === process.env[name]) delete set[name];
      if (options.json)
        context.printJson({ ...set, ...Object.fromEntries(stray.map((name) => [name, null])) });
      else for (const line of shellLines(set, stray)) context.print(line);
    });
};

/** Pure. */
export const shellLines = (set: Readonly<Record<string, string>>, stray: readonly string[]): string[] => [
  ...Object.entries(set).map(([name, value]) => exportLine(name, value)),
  ...(stray.length > 0 ? [`unset ${stray.join(" ")}`] : []),
];

/** Pure. Single quotes preserve every character in any POSIX shell. */
export const exportLine = (name: string, value: string): string =>
  `export ${name}='${value.replaceAll("'", `'\\''`)}'`;
