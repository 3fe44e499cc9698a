import { join } from "node:path";
import { wrongUse } from "../../errors.ts";
import { settingsFrom } from "../../experiment/options.ts";
import { runLockFile } from "../../project.ts";
import { SEED_SETTINGS } from "../../settings.ts";
import { wantsColour } from "../../terminal/paint.ts";
import { choiceFor, numberFor } from "../arguments.ts";
import type { GlobalOptions, Register } from "../context.ts";

const whole = (option: string, min: number, max: number) => numberFor(option, { min, max });

interface Options extends GlobalOptions {
  readonly shards: number;
  readonly splitTo: number;
  readonly pods: number;
  readonly scaleTo: number;
  readonly rate: number;
  readonly timeline: "fast" | "seed";
  readonly out: string;
  readonly keep: boolean;
  readonly json: boolean;
}

export const registerExperiment: Register = (program, context) => {
  const seed = SEED_SETTINGS;
  program
    .command("experiment")
    .description("the whole experiment: deploy, 7/7/6, split, 10/10/10, scale, 6/6/6/6/6, proof in out/")
    .option("--shards <n>", "open shards at the start", whole("--shards", 1, 200), seed.shards)
    .option("--split-to <n>", "open shards after the split", whole("--split-to", 1, 200), seed.splitTo)
    .option("--pods <n>", "consumer tasks at the start", whole("--pods", 1, 20), seed.pods)
    .option("--scale-to <n>", "consumer tasks at the end", whole("--scale-to", 1, 20), seed.scaleTo)
    .option("--rate <n>", "records a second", whole("--rate", 1, 2_000), seed.rate)
    .option(
      "--timeline <name>",
      "fast: go on when a phase is seen done; seed: the original experiment's clock",
      choiceFor("--timeline", ["fast", "seed"]),
      seed.timeline,
    )
    .option("--out <folder>", "where the results go", seed.out)
    .option("--keep", "leave the endpoint and the stack running")
    .option("--json", "print report.json's content instead of the table")
    .action(async (_local, command) => {
      const options: Options = command.optsWithGlobals();
      const settings = settingsFrom(pick(options));
      const endpointUrl =
        options.aws || process.env.AWS_ENDPOINT_URL ? await requireEmbedded(options) : undefined;
      const { runExperiment } = await import("../../experiment/run.ts");
      const { liveProgress, plainProgress } = await import("../../experiment/progress.ts");
      const { renderReport } = await import("../../report/index.ts");
      const { withRunLock } = await import("../../process/run-lock.ts");
      const screen = context.stderr;
      const { report, leftBehind } = await withRunLock(
        { ...context, lock: runLockFile(options.application) },
        () => {
          const progress = screen.isTTY
            ? liveProgress(
                screen,
                context.clock,
                context.signal,
                phasesOf(settings),
                wantsColour(screen, process.env),
              )
            : plainProgress(context.note, context.clock);
          return runExperiment({
            settings,
            application: options.application,
            endpointUrl,
            keep: options.keep,
            clock: context.clock,
            signal: context.signal,
            progress,
          }).finally(() => progress.close());
        },
      );
      if (options.json) context.printJson(report);
      else {
        context.note("");
        const where = ["report.html", "report.json", "leases.json", "history.jsonl"];
        for (const line of renderReport(report, { colour: context.colour })) context.print(line);
        context.print("");
        for (const name of where) context.print(join(settings.out, name));
      }
      if (!report.ok) context.notOk();
      if (leftBehind !== undefined) throw leftBehind;
    });
};

const pick = ({ shards, splitTo, pods, scaleTo, rate, timeline, out }: Options) => ({
  shards,
  splitTo,
  pods,
  scaleTo,
  rate,
  timeline,
  out,
});

/** The proof reads files that only the embedded endpoint's tasks write. */
async function requireEmbedded(options: Options): Promise<string> {
  const { resolveTarget } = await import("../../aws/target.ts");
  const target = await resolveTarget({ aws: options.aws, environment: process.env });
  if (target.kind === "embedded" && target.endpointUrl !== undefined) return target.endpointUrl;
  const found = options.aws
    ? "--aws is another"
    : `none answers at ${target.endpointUrl} (AWS_ENDPOINT_URL; unset it to start one)`;
  throw wrongUse(
    `the experiment runs on the embedded endpoint only, and ${found}; elsewhere take its steps one by one: split-shards, scale, view-distribution`,
  );
}

function phasesOf(settings: { shards: number; splitTo: number; pods: number; scaleTo: number }): string[] {
  return [
    "endpoint",
    "bootstrap",
    "deploy",
    "initial-balance",
    ...(settings.splitTo > settings.shards ? ["split"] : []),
    ...(settings.scaleTo > settings.pods ? ["scale"] : []),
    "drain",
    "report",
    "destroy",
  ];
}
