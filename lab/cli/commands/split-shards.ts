import { listShards, streamStatus } from "../../aws/stream.ts";
import { rebalance, runningExecution } from "../../aws/workflow.ts";
import { CommandError, wrongUse } from "../../errors.ts";
import { numberFor } from "../arguments.ts";
import type { GlobalOptions, Register } from "../context.ts";
import { withSite } from "../site.ts";

interface Options extends GlobalOptions {
  readonly percent: number | undefined;
  readonly to: number | undefined;
  readonly force: boolean;
  readonly json: boolean;
}

const DEFAULT_PERCENT = 50;
const TIMEOUT_MILLIS = 600_000;

export const registerSplitShards: Register = (program, context) => {
  program
    .command("split-shards")
    .description("reshard through the resharder: +50 % of the deployed count, or --to N")
    .option(
      "--percent <n>",
      `how many per cent more than deployed (default: ${DEFAULT_PERCENT})`,
      numberFor("--percent", { min: 1, max: 1_000 }),
    )
    .option(
      "--to <n>",
      "open shards afterwards; fewer than now merges",
      numberFor("--to", { min: 1, max: 1_000 }),
    )
    .option("--force", "count from the present, and go ahead where a reshard seems done or under way")
    .option("--json", "as JSON")
    .action(async (_local, command) => {
      const options: Options = command.optsWithGlobals();
      if (options.percent !== undefined && options.to !== undefined)
        throw wrongUse("--percent and --to exclude each other; give one of them");
      await withSite(context, options, (site) => splitShards(site), "reshard the stream");

      async function splitShards({ clients, deployment }: Parameters<Parameters<typeof withSite>[2]>[0]) {
        const open = (await listShards(clients, deployment.streamName)).filter((shard) => shard.open).length;
        const target = reshardTarget({ ...options, open, deployed: deployment.deployedShards });
        if (target === open) {
          const why = `${open} open shards (${deployment.deployedShards} deployed): nothing to do`;
          if (options.json) context.printJson({ from: open, to: open, changed: false });
          else
            context.print(options.to === undefined ? `${why}; --force splits from the present count` : why);
          return;
        }
        if (!options.force) await requireQuiet(clients, deployment);
        context.note(`resharding ${deployment.streamName}: ${open} → ${target} open shards …`);
        const startedAt = context.clock.monotonicMillis();
        const output = await rebalance(
          clients,
          deployment,
          options.force ? { targetShards: target, force: true } : { targetShards: target },
          { clock: context.clock, signal: context.signal, timeoutMillis: TIMEOUT_MILLIS },
        );
        const took = ((context.clock.monotonicMillis() - startedAt) / 1_000).toFixed(1);
        if (options.json) context.printJson({ from: open, to: target, changed: true, output });
        else context.print(`${open} → ${target} open shards, all owned, in ${took} s`);
      }
    });
};

async function requireQuiet(
  clients: Parameters<typeof runningExecution>[0],
  deployment: Parameters<typeof runningExecution>[1],
): Promise<void> {
  const [running, status] = await Promise.all([
    runningExecution(clients, deployment),
    streamStatus(clients, deployment.streamName),
  ]);
  if (running !== undefined || status !== "ACTIVE")
    throw new CommandError(
      `a reshard is under way (${running === undefined ? `stream ${status}` : "the state machine runs"}); wait for it, or say --force`,
    );
}

export interface ReshardWish {
  readonly open: number;
  readonly deployed: number;
  readonly percent: number | undefined;
  readonly to: number | undefined;
  readonly force: boolean;
}

/** The target number of open shards; equals `open` if it is already reached. Pure. */
export function reshardTarget({ open, deployed, percent = DEFAULT_PERCENT, to, force }: ReshardWish): number {
  if (to !== undefined) return to;
  const target = Math.ceil(((force ? open : deployed) * (100 + percent)) / 100);
  return Math.max(open, target);
}
