import type { ProducerProgress } from "../../../services/producer/index.ts";
import { historyFolderAt } from "../../aws/history.ts";
import { childEnvironment, type Target } from "../../aws/target.ts";
import { SEED_SETTINGS } from "../../settings.ts";
import { LiveRegion } from "../../terminal/live-region.ts";
import { numberFor } from "../arguments.ts";
import type { Context, GlobalOptions, Register } from "../context.ts";
import { withSite } from "../site.ts";

interface Options extends GlobalOptions {
  readonly rate: number;
  readonly keys: number;
}

export const registerProducer: Register = (program, context) => {
  program
    .command("producer")
    .description("put counted records until stopped (Ctrl-C); progress on a terminal")
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
      const options: Options = command.optsWithGlobals();
      await withSite(context, options, async ({ clients, deployment }) => {
        const { startProducer } = await import("../../../services/producer/index.ts");
        const { target } = clients;
        becomeProducer(target);
        const progress = showProgress(context);
        const { rate, keys } = options;
        const total = await startProducer({
          streamName: deployment.streamName,
          rate,
          keys,
          skew: 0,
          historyDirectory: historyFolderAt(target, deployment.application),
          history: "none",
          log: { info: () => undefined, warn: (_fields, message) => progress.warn(message) },
          signal: context.signal,
          region: target.region,
          ...(target.endpointUrl === undefined ? {} : { endpoint: target.endpointUrl }),
          onProgress: progress.show,
        }).finally(() => progress.close());
        context.note(`${total.put} records put, ${total.outstanding} not`);
      });
    });
};

/**
 * Prepares this process to be the producer: the SDK takes its credentials, and its name for the call counter,
 * from the environment.
 */
function becomeProducer(target: Target): void {
  const environment = childEnvironment(target, process.env);
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment, { AWS_SDK_UA_APP_ID: "producer" });
}

interface Shown {
  show(progress: ProducerProgress): void;
  warn(message: string): void;
  close(): void;
}

function showProgress(context: Context): Shown {
  const warn = (message: string) => context.note(`producer: ${message}`);
  if (!context.stderr.isTTY) return { show: () => undefined, warn, close: () => undefined };
  const region = new LiveRegion(context.stderr);
  const startedAt = context.clock.monotonicMillis();
  return {
    show({ put, outstanding, failedAttempts, unknown }) {
      const seconds = Math.max(0.1, (context.clock.monotonicMillis() - startedAt) / 1_000);
      region.draw([
        `${put} records put, ${Math.round(put / seconds)}/s, ${outstanding} waiting, ${failedAttempts} attempts failed, ${unknown} unanswered   Ctrl-C ends it`,
      ]);
    },
    warn: (message) => region.print(`producer: ${message}`),
    close: () => region.close({ erase: true }),
  };
}
