/** `monitor-leases --web`: the live page of one deployment, until Ctrl-C. */
import { spawn } from "node:child_process";
import { writtenHistory } from "../../aws/history.ts";
import { messageOf } from "../../errors.ts";
import { leaseTable } from "../../fleet/lease-table.ts";
import { deploymentSource } from "../../monitor/web/deployment-source.ts";
import { embeddedActions } from "../../monitor/web/embedded-actions.ts";
import { serveLivePage } from "../../monitor/web/server.ts";
import type { Context } from "../context.ts";
import type { Site } from "../site.ts";

export interface WebOptions {
  readonly port: number;
  readonly open: boolean;
}

export async function monitorOnWeb(site: Site, context: Context, options: WebOptions): Promise<void> {
  const { clients, deployment } = site;
  const { clock, signal } = context;
  const embedded = clients.target.kind === "embedded" ? clients.target.endpointUrl : undefined;
  const history = writtenHistory(clients.target, deployment.application);
  const page = await serveLivePage({
    source: deploymentSource({
      title: `${deployment.stackName} · ${deployment.streamName}`,
      table: leaseTable(clients, deployment.leaseTableName, clock),
      historyFolder: history,
      clock,
    }),
    actions:
      embedded === undefined || history === undefined
        ? undefined
        : embeddedActions({
            endpointUrl: embedded,
            clients,
            deployment,
            historyFolder: history,
            clock,
            signal,
          }),
    port: options.port,
    clock,
  });
  try {
    context.print(`${page.url}/   live leases of ${deployment.stackName}; Ctrl-C ends it`);
    if (options.open) openInBrowser(page.url, context);
    while (!signal.aborted) await clock.sleep(3_600_000, signal);
  } finally {
    await page.close();
  }
}

const OPENERS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** Failing to open a browser is not an error: the address is printed. */
function openInBrowser(url: string, context: Context): void {
  const [program, ...before] = OPENERS[process.platform] ?? ["xdg-open"];
  const child = spawn(program, [...before, url], { stdio: "ignore", detached: true });
  child.on("error", (error) => context.note(`no browser could be opened (${messageOf(error)}): open ${url}`));
  child.unref();
}
