import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { writtenHistory } from "../../aws/history.ts";
import { wrongUse } from "../../errors.ts";
import { distribution } from "../../fleet/state.ts";
import { compareReports, readReport, renderComparison, renderReport } from "../../report/index.ts";
import { measureRows, valueText } from "../../report/rows.ts";
import { SEED_SETTINGS } from "../../settings.ts";
import { LiveRegion } from "../../terminal/live-region.ts";
import { renderTable } from "../../terminal/table.ts";
import type { Context, GlobalOptions, Register } from "../context.ts";
import { withSite } from "../site.ts";

interface Options extends GlobalOptions {
  readonly live?: boolean;
  readonly json?: boolean;
}

export const registerAnalyzeRebalancing: Register = (program, context) => {
  program
    .command("analyze-rebalancing")
    .description("timings, gaps, duplicates, moves, cost: of a report, of two compared, or watched live")
    .argument("[reports...]", "report.json, or the folder with it (default: out)")
    .option("--live", "watch the running deployment instead")
    .option("--json", "as JSON")
    .action(async (paths: string[], _local, command) => {
      const options: Options = command.optsWithGlobals();
      if (options.live) {
        if (paths.length > 0) throw wrongUse("--live looks at the running deployment; leave the reports out");
        return watchLive(options, context);
      }
      if (paths.length > 2) throw wrongUse(`${paths.length} reports given; give one, or two to compare`);
      if (paths.length === 0 && !existsSync(join(SEED_SETTINGS.out, "report.json")))
        throw wrongUse("there is no out/report.json yet; run `npm start`, give a report, or say --live");
      const [first = SEED_SETTINGS.out, second] = paths;
      const report = await readReport(first);
      if (second === undefined) {
        if (options.json) context.printJson(report);
        else for (const line of renderReport(report, context)) context.print(line);
        if (!report.ok) context.notOk();
        return;
      }
      const other = await readReport(second);
      if (options.json) context.printJson(compareReports(report, other));
      else
        for (const line of renderComparison(report, other, [nameOf(first), nameOf(second)], context))
          context.print(line);
      if (!report.ok || !other.ok) context.notOk();
    });
};

/** `out/report.json` is named after its folder. */
const nameOf = (path: string): string =>
  basename(path) === "report.json" ? basename(dirname(path)) : basename(path);

async function watchLive(options: Options, context: Context): Promise<void> {
  const { analyzeLive } = await import("../../experiment/live-analysis.ts");
  await withSite(context, options, async ({ clients, deployment }) => {
    const historyFolder = writtenHistory(clients.target, deployment.application);
    if (historyFolder === undefined)
      throw wrongUse(
        clients.target.kind === "aws"
          ? "--live reads history files, and tasks on AWS write to their logs; look at `npx evenkeel metrics`"
          : "--live reads the history files of workers on this machine, and there are none of this fleet; start `npx evenkeel producer` and `npx evenkeel consumer --pod 1` here, or look at `npx evenkeel metrics`",
      );
    const region = context.stdout.isTTY && !options.json ? new LiveRegion(context.stdout) : undefined;
    try {
      await analyzeLive({
        clients,
        deployment,
        historyFolder,
        settings: SEED_SETTINGS,
        clock: context.clock,
        signal: context.signal,
        onMeasures: (measures, fleet) => {
          if (options.json) return void context.stdout.write(`${JSON.stringify(measures)}\n`);
          // A record that is not handled yet is not lost.
          const rows = measureRows(measures)
            .filter(({ value }) => value !== null)
            .map((row) => (row.name === "lost" ? { ...row, name: "on the way" } : row));
          const spread = fleet === undefined ? "" : distribution(fleet);
          if (region === undefined) return context.print(`${spread}  ${plainLine(measures)}`);
          region.draw([
            `leases per worker: ${spread || "no worker"}`,
            "",
            ...renderTable(
              [{ title: "so far" }, { title: "value", align: "right" }],
              rows.map(({ name, value, unit }) => [name, valueText(value, unit)]),
              region.width,
            ),
            "",
            "Ctrl-C ends it",
          ]);
        },
      });
    } finally {
      region?.close({ erase: false });
    }
  });
}

const plainLine = (measures: {
  produced: number;
  processed: number;
  duplicates: number;
  orderViolations: number;
}) =>
  `${measures.produced} produced, ${measures.processed} processed, ${measures.duplicates} doubled, ${measures.orderViolations} out of order`;
