import { PRODUCER_ENVIRONMENT } from "../../../services/shared/environment.ts";
import { runForeground } from "../../deployment/child.ts";
import { childEnvironment } from "../../deployment/target.ts";
import { Problem } from "../../problem.ts";
import { inRuntime } from "../../project.ts";
import { SEED_SETTINGS } from "../../settings.ts";
import { numberFor } from "../arguments.ts";
import { type Register, withSite } from "../context.ts";

export const registerProducer: Register = (program, context) => {
  program
    .command("producer")
    .description("put counted records until stopped (Ctrl-C)")
    .option(
      "--rate <n>",
      "records a second",
      numberFor("--rate", { min: 1, max: 10_000 }),
      SEED_SETTINGS.rate,
    )
    .option(
      "--keys <n>",
      "distinct partition keys",
      numberFor("--keys", { min: 1, max: 100_000 }),
      SEED_SETTINGS.keys,
    )
    .action(async (_local, command) => {
      const options = command.optsWithGlobals();
      await withSite(context, options, async ({ clients, deployment }) => {
        const { target } = clients;
        const names = PRODUCER_ENVIRONMENT;
        const environment = {
          ...childEnvironment(target, process.env),
          [names.streamName]: deployment.streamName,
          [names.rate]: String(options.rate),
          [names.keys]: String(options.keys),
          [names.historyDirectory]: target.kind === "embedded" ? inRuntime("history", "") : "",
          AWS_SDK_UA_APP_ID: "producer",
        };
        const exitCode = await runForeground({
          command: process.execPath,
          arguments: [inRuntime("build", "producer.mjs")],
          environment,
          signal: context.signal,
          output: "inherit",
        });
        if (exitCode !== 0 && !context.signal.aborted)
          throw new Problem(
            `the producer ended with ${exitCode}; its log above says why`,
            exitCode === 2 ? 2 : 1,
          );
      });
    });
};
