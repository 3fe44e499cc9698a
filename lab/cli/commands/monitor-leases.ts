import { writtenHistory } from "../../aws/history.ts";
import { wrongUse } from "../../errors.ts";
import { leaseTable } from "../../fleet/lease-table.ts";
import { distribution, type FleetState } from "../../fleet/state.ts";
import { HistoryTail } from "../../history/tail.ts";
import { emptyMonitor, type MonitorState, withFlow, withSnapshot } from "../../monitor/monitor.ts";
import { renderMonitor, type View } from "../../monitor/terminal.ts";
import { type WatchOptions, watchFleet } from "../../monitor/watch.ts";
import { FullScreen } from "../../terminal/full-screen.ts";
import { timeText } from "../../terminal/table.ts";
import { numberFor } from "../arguments.ts";
import type { Context, GlobalOptions, Register } from "../context.ts";
import { type Site, withSite } from "../site.ts";

interface Options extends GlobalOptions {
  readonly once?: boolean;
  readonly json?: boolean;
  readonly web?: boolean;
  readonly open?: boolean;
  readonly port?: number;
}

const PLAIN_SIZE = { width: 80, height: 60 };
/** Near the endpoint's port, but not equal to it. */
const DEFAULT_PORT = 4580;
const FOOTER = "q quit   space pause";

export const registerMonitorLeases: Register = (program, context) => {
  program
    .command("monitor-leases")
    .description("live distribution of the leases (q quits, space pauses); a line per change when piped")
    .option("--once", "show it once")
    .option("--json", "as JSON, one line per change")
    .option("--web", "as a live page on 127.0.0.1, with buttons where the target is the embedded endpoint")
    .option(
      "--port <n>",
      `the page's port, 0: any free one (default: ${DEFAULT_PORT})`,
      numberFor("--port", { min: 0, max: 65_535 }),
    )
    .option("--open", "open the page in the browser")
    .action(async (_local, command) => {
      const options: Options = command.optsWithGlobals();
      requireFitting(options);
      await withSite(context, options, async (site) => {
        if (options.web) {
          const { monitorOnWeb } = await import("./monitor-web.ts");
          return monitorOnWeb(site, context, {
            port: options.port ?? DEFAULT_PORT,
            open: options.open === true,
          });
        }
        const sources = sourcesOf(site, context);
        const first = emptyMonitor(`${site.deployment.stackName} · ${site.deployment.streamName}`);
        if (options.once) return showOnce(first, sources, options, context);
        if (options.json || !context.stdout.isTTY) return followPlain(first, sources, options, context);
        return followScreen(first, sources, context);
      });
    });
};

function requireFitting({ web, once, json, port, open }: Options): void {
  if (web && (once || json)) throw wrongUse("--web is a page; leave --once and --json out");
  if (!web && (port !== undefined || open)) throw wrongUse("--port and --open are for --web; add it");
}

type Sources = Pick<WatchOptions, "table" | "flow">;

function sourcesOf({ clients, deployment }: Site, context: Context): Sources {
  const table = leaseTable(clients, deployment.leaseTableName, context.clock);
  const history = writtenHistory(clients.target, deployment.application);
  if (history === undefined) return { table, flow: undefined };
  const tail = new HistoryTail(history);
  return { table, flow: () => tail.poll() };
}

async function showOnce(first: MonitorState, { table, flow }: Sources, options: Options, context: Context) {
  const state = withSnapshot(first, await table.snapshot());
  if (options.json) return context.printJson(jsonOf(state));
  const shown = flow ? withFlow(state, context.clock.wallMillis(), await flow()) : state;
  for (const line of renderMonitor(shown, viewOf(context, PLAIN_SIZE, false))) context.print(line);
}

/** Without a terminal: prints a line whenever its content has changed. */
async function followPlain(first: MonitorState, sources: Sources, options: Options, context: Context) {
  let before = "";
  const onState = (state: MonitorState) => {
    if (state.fleet === undefined) return;
    const line = options.json
      ? JSON.stringify(jsonOf(state))
      : `${timeText(state.fleet.t)}  ${summaryOf(state.fleet)}`;
    const now = options.json ? JSON.stringify({ ...jsonOf(state), t: 0 }) : summaryOf(state.fleet);
    if (now === before) return;
    before = now;
    context.print(line);
  };
  await watchFleet(first, {
    ...sources,
    clock: context.clock,
    signal: context.signal,
    paused: () => false,
    onState,
  });
}

async function followScreen(first: MonitorState, sources: Sources, context: Context) {
  const quitting = new AbortController();
  let paused = false;
  let newest = first;
  const screen = new FullScreen(context.stdout, process.stdin, (key) => {
    if (key === "q" || key === "Q") quitting.abort();
    if (key === " ") paused = !paused;
    draw();
  });
  const draw = () => {
    const size = { width: screen.width, height: screen.height - 1 };
    const lines = renderMonitor(newest, viewOf(context, size, paused));
    const filled = [...lines, ...Array<string>(Math.max(0, size.height - lines.length)).fill("")];
    screen.draw([...filled.slice(0, size.height), FOOTER]);
  };
  context.stdout.on("resize", draw);
  try {
    draw();
    await watchFleet(first, {
      ...sources,
      clock: context.clock,
      signal: AbortSignal.any([context.signal, quitting.signal]),
      paused: () => paused,
      onState: (state) => {
        newest = state;
        draw();
      },
    });
  } finally {
    context.stdout.off("resize", draw);
    screen.close();
  }
  for (const line of renderMonitor(newest, viewOf(context, PLAIN_SIZE, false))) context.print(line);
}

const viewOf = (context: Context, size: { width: number; height: number }, paused: boolean): View => ({
  ...size,
  colour: context.colour,
  paused,
  time: timeText,
});

const summaryOf = (fleet: FleetState): string =>
  `${distribution(fleet) || "no worker"}  ${fleet.load} shards, ${fleet.unowned.length} unowned, ${fleet.draining} draining, ${fleet.blocked} blocked, ${fleet.ended} ended`;

function jsonOf({ fleet, moveCount }: MonitorState) {
  if (fleet === undefined) return null;
  const { t, workers, unowned, load, draining, blocked, ended, plannedMoves } = fleet;
  return { t, workers, load, unowned, draining, blocked, ended, plannedMoves, moves: moveCount };
}
