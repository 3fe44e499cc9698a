import { type EffectiveSetting, effectiveSettings, limitOf, readPodConfig } from "../../aws/pod-config.ts";
import { inProject } from "../../project.ts";
import { leaseCap } from "../../settings.ts";
import { renderTable } from "../../terminal/table.ts";
import { numberFor } from "../arguments.ts";
import type { Register } from "../context.ts";

const SEED_CASES = [
  { shards: 20, pods: 3 },
  { shards: 30, pods: 3 },
  { shards: 30, pods: 5 },
] as const;

export const registerConfig: Register = (program, context) => {
  program
    .command("config")
    .description(
      "a consumer's effective configuration, where each value came from, and the computed lease cap",
    )
    .option("--pod <n>", "which config/config-podN.yaml", numberFor("--pod", { min: 1, max: 1_000 }), 1)
    .option("--config <file>", "another file")
    .option(
      "--shards <n>",
      "compute the cap for so many shards",
      numberFor("--shards", { min: 1, max: 100_000 }),
    )
    .option("--pods <n>", "… on so many pods", numberFor("--pods", { min: 1, max: 10_000 }))
    .option("--json", "as JSON")
    .action(async (_local, command) => {
      const options = command.optsWithGlobals();
      const file = configFile(options);
      const settings = effectiveSettings(readPodConfig(file), process.env);
      const limit = limitOf(settings);
      const asked = options.shards !== undefined || options.pods !== undefined;
      const cases = asked ? [{ shards: options.shards ?? 20, pods: options.pods ?? 3 }] : SEED_CASES;
      const caps = cases.map((size) => ({ ...size, cap: leaseCap(size.shards, size.pods, limit) }));
      if (options.json) context.printJson({ file, settings, caps });
      else for (const line of configLines(settings, caps)) context.print(line);
    });
};

export const configFile = (options: { readonly pod: number; readonly config?: string }): string =>
  options.config ?? inProject("config", `config-pod${options.pod}.yaml`);

interface Cap {
  readonly shards: number;
  readonly pods: number;
  readonly cap: number;
}

/** Pure. */
function configLines(settings: readonly EffectiveSetting[], caps: readonly Cap[]): string[] {
  const rows = settings.map(({ name, value, origin }) => [
    name,
    value === "" ? "(made up at start)" : value,
    origin,
  ]);
  return [
    ...renderTable([{ title: "setting" }, { title: "value" }, { title: "from" }], rows),
    "",
    ...caps.map(({ shards, pods, cap }) => {
      const unowned = Math.max(0, shards - cap * pods);
      const warning = unowned > 0 ? `; ${unowned} shards would stay unowned` : "";
      return `cap with ${shards} shards on ${pods} pods: ${cap} leases a pod (rounded up)${warning}`;
    }),
  ];
}
