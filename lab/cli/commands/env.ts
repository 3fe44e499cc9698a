import { targetEnvironment } from "../../deployment/target.ts";
import type { Register } from "../context.ts";

export const registerEnv: Register = (program, context) => {
  program
    .command("env")
    .description(
      'lines for your shell: eval "$(npx evenkeel env)" leads cdklocal, awslocal, cdk and SDKs to the endpoint',
    )
    .option("--json", "as JSON")
    .action(async (_local, command) => {
      const options = command.optsWithGlobals();
      const { resolveTarget } = await import("../../deployment/target.ts");
      const { toolEnvironment } = await import("../../../local/index.ts");
      const target = await resolveTarget({ aws: options.aws, environment: process.env });
      const environment: Record<string, string> = {
        ...(target.endpointUrl === undefined ? {} : toolEnvironment(target.endpointUrl)),
        ...targetEnvironment(target),
      };
      // Another endpoint's credentials are the user's own: the shell has them already, and they may be secret.
      if (target.kind === "endpoint")
        for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const)
          if (environment[name] === process.env[name]) delete environment[name];
      if (options.json) context.printJson(environment);
      else for (const [name, value] of Object.entries(environment)) context.print(exportLine(name, value));
    });
};

/** Pure. Single quotes keep every character as it is, in any POSIX shell. */
export const exportLine = (name: string, value: string): string =>
  `export ${name}='${value.replaceAll("'", `'\\''`)}'`;
