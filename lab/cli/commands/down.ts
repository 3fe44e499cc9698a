import { SEED_SETTINGS } from "../../settings.ts";
import { confirmAws } from "../confirm.ts";
import type { GlobalOptions, Register } from "../context.ts";
import { showSteps } from "../steps.ts";

export const registerDown: Register = (program, context) => {
  program
    .command("down")
    .description("destroy the stack and stop the embedded endpoint")
    .action(async (_local, command) => {
      const options: GlobalOptions = command.optsWithGlobals();
      const { takeDown } = await import("../../experiment/running-stack.ts");
      const steps = showSteps(context);
      const { shards, pods, rate, keys } = SEED_SETTINGS;
      const outcome = await takeDown({
        context: { application: options.application, shards, pods, producers: 1, rate, keys },
        aws: options.aws,
        environment: process.env,
        signal: context.signal,
        step: steps.step,
        confirm: (clients) =>
          confirmAws(clients, context, `delete stack ${options.application}`, options.yes),
      }).finally(() => steps.close());
      context.print(outcome === "nothing" ? "nothing is up" : "all down");
    });
};
