import { CONSUMER_ENVIRONMENT } from "../../../services/contract/environment.ts";
import { historyFolderAt } from "../../aws/history.ts";
import { consumerEnvironment, effectiveSettings, readPodConfig } from "../../aws/pod-config.ts";
import { childEnvironment } from "../../aws/target.ts";
import { CommandError } from "../../errors.ts";
import { runForeground } from "../../process/child.ts";
import { inRuntime } from "../../project.ts";
import { logLine } from "../../terminal/log-line.ts";
import { paint } from "../../terminal/paint.ts";
import { timeText } from "../../terminal/table.ts";
import { numberFor } from "../arguments.ts";
import type { Register } from "../context.ts";
import { withSite } from "../site.ts";
import { configFile } from "./config.ts";

export const registerConsumer: Register = (program, context) => {
  program
    .command("consumer")
    .description("one worker in the foreground: a pod by hand; Ctrl-C hands its leases over")
    .option("--pod <n>", "which config/config-podN.yaml", numberFor("--pod", { min: 1, max: 1_000 }), 1)
    .option("--config <file>", "another file")
    .action(async (_local, command) => {
      const options = command.optsWithGlobals();
      const settings = effectiveSettings(readPodConfig(configFile(options)), process.env);
      await withSite(context, options, async ({ clients, deployment }) => {
        const { target } = clients;
        const names = CONSUMER_ENVIRONMENT;
        const environment = {
          ...childEnvironment(target, process.env),
          ...ownVariables(process.env),
          ...consumerEnvironment(settings),
          [names.applicationName]: deployment.application,
          [names.streamName]: deployment.streamName,
          [names.leaseTableName]: deployment.leaseTableName,
          // Always into a file: on standard output, a line per record would bury the worker's log.
          [names.historyDirectory]: historyFolderAt(target, deployment.application),
          AWS_SDK_UA_APP_ID: "consumer",
        };
        const ended = await runForeground({
          command: process.execPath,
          arguments: [inRuntime("build", "consumer.mjs")],
          environment,
          signal: context.signal,
          // Formatted for a terminal only. Any other output gets the lines unchanged.
          ...(context.stdout.isTTY && {
            onStart: (pid: number) =>
              context.print(
                `pod ${options.pod} is process ${pid}: Ctrl-C hands its leases over, kill -9 ${pid} is a crash`,
              ),
            onLine: (line: string) => context.print(logLine(line, paint(context.colour), timeText)),
          }),
        });
        if (ended === 0 || context.signal.aborted) return;
        if (typeof ended === "string") throw new CommandError(`the consumer was ended by ${ended}`);
        throw new CommandError(
          `the consumer ended with ${ended}; its log above says why`,
          ended === 2 ? 2 : 1,
        );
      });
    });
};

/** The consumer's variables from the user's environment. The rest of that environment is not passed on. */
function ownVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const given = Object.values(CONSUMER_ENVIRONMENT).map((name) => [name, environment[name]] as const);
  return Object.fromEntries(
    given.filter((entry): entry is [(typeof given)[number][0], string] => !!entry[1]),
  );
}
