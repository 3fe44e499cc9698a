import { serviceCounts, setDesiredCount } from "../../aws/tasks.ts";
import { CommandError, Interrupted } from "../../errors.ts";
import { numberFor } from "../arguments.ts";
import type { Register } from "../context.ts";
import { withSite } from "../site.ts";

const TIMEOUT_MILLIS = 300_000;
const POLL_MILLIS = 500;

export const registerScale: Register = (program, context) => {
  program
    .command("scale")
    .description("set the consumer service's desired count, and wait until so many run")
    .argument("<n>", "consumer tasks", numberFor("scale", { min: 0, max: 200 }))
    .option("--no-wait", "do not wait for the tasks")
    .option("--json", "as JSON")
    .action(async (wanted: number, _local, command) => {
      const options = command.optsWithGlobals();
      await withSite(
        context,
        options,
        async ({ clients, deployment }) => {
          const service = deployment.consumerServiceName;
          const before = await serviceCounts(clients, deployment, service);
          await setDesiredCount(clients, deployment, service, wanted);
          let now = await serviceCounts(clients, deployment, service);
          const deadline = context.clock.monotonicMillis() + TIMEOUT_MILLIS;
          if (options.wait && now.running !== wanted)
            context.note(`scaling consumers: ${before.desired} → ${wanted} tasks …`);
          while (options.wait && now.running !== wanted) {
            if (context.signal.aborted) throw new Interrupted("scale");
            if (context.clock.monotonicMillis() > deadline)
              throw new CommandError(
                `${now.running} of ${wanted} tasks run after ${TIMEOUT_MILLIS / 1_000} s; look at the service's events in ECS, and at the logs`,
              );
            await context.clock.sleep(POLL_MILLIS, context.signal);
            now = await serviceCounts(clients, deployment, service);
          }
          if (options.json) context.printJson({ from: before.desired, to: wanted, running: now.running });
          else context.print(`consumers: ${before.desired} → ${wanted} tasks, ${now.running} running`);
        },
        "scale the consumers",
      );
    });
};
