import { runLockFile } from "../../project.ts";
import { SEED_SETTINGS } from "../../settings.ts";
import { numberFor } from "../arguments.ts";
import { confirmAws } from "../confirm.ts";
import type { GlobalOptions, Register } from "../context.ts";
import { showSteps } from "../steps.ts";

interface Options extends GlobalOptions {
  readonly shards: number;
  readonly pods: number;
  readonly rate: number;
  readonly producer: boolean;
}

export const registerUp: Register = (program, context) => {
  const seed = SEED_SETTINGS;
  program
    .command("up")
    .description("start the embedded endpoint and deploy the stack, left running; again: update it")
    .option("--shards <n>", "open shards", numberFor("--shards", { min: 1, max: 1_000 }), seed.shards)
    .option(
      "--pods <n>",
      "consumer tasks; 0: start them by hand",
      numberFor("--pods", { min: 0, max: 200 }),
      seed.pods,
    )
    .option(
      "--rate <n>",
      "the producer's records a second",
      numberFor("--rate", { min: 1, max: 10_000 }),
      seed.rate,
    )
    .option("--no-producer", "no producer task")
    .action(async (_local, command) => {
      const options: Options = command.optsWithGlobals();
      const { bringUp } = await import("../../experiment/running-stack.ts");
      const { withRunLock } = await import("../../process/run-lock.ts");
      const { target, deployment, consumers } = await withRunLock(
        { ...context, lock: runLockFile(options.application) },
        () => {
          const steps = showSteps(context);
          return bringUp({
            context: {
              application: options.application,
              shards: options.shards,
              pods: options.pods,
              producers: options.producer ? 1 : 0,
              rate: options.rate,
              keys: seed.keys,
            },
            aws: options.aws,
            environment: process.env,
            signal: context.signal,
            step: steps.step,
            confirm: (clients) =>
              confirmAws(clients, context, `deploy stack ${options.application}`, options.yes),
          }).finally(() => steps.close());
        },
      );
      context.print(`${deployment.stackName} is up at ${target.endpointUrl ?? `AWS ${target.region}`}`);
      for (const line of consumerLines(consumers, options.pods)) context.print(line);
      context.print("watch it:            npx evenkeel monitor-leases");
      context.print('use AWS tools on it: eval "$(npx evenkeel env)"');
      context.print("take it down:        npm run down");
    });
};

/** Lines about the consumers, if they differ from the request. Pure. */
export function consumerLines(consumers: number | undefined, pods: number): string[] {
  if (consumers === undefined)
    return ["it has no ECS, so no task runs; by hand: npx evenkeel producer, consumer --pod 1, --pod 2, …"];
  if (consumers === pods) return [];
  return [
    `it has ${consumers} consumers, as before: --pods is for the first deployment; npx evenkeel scale ${pods}`,
  ];
}
