import { holes } from "../../../src/core/hash-range.ts";
import { listShards, type StreamShard, streamStatus } from "../../aws/stream.ts";
import { paint } from "../../terminal/paint.ts";
import { renderTable } from "../../terminal/table.ts";
import type { Register } from "../context.ts";
import { withSite } from "../site.ts";

export const registerVerifyStream: Register = (program, context) => {
  program
    .command("verify-stream")
    .description("status, open and closed shards, hash-range coverage; exit 1 when not ACTIVE or not covered")
    .option("--json", "as JSON")
    .action(async (_local, command) => {
      const options = command.optsWithGlobals();
      await withSite(context, options, async ({ clients, deployment }) => {
        const [status, shards] = await Promise.all([
          streamStatus(clients, deployment.streamName),
          listShards(clients, deployment.streamName),
        ]);
        const verdict = verifyStream(status, shards);
        if (options.json) context.printJson({ stream: deployment.streamName, ...verdict });
        else
          for (const line of verdictLines(deployment.streamName, verdict, context.colour))
            context.print(line);
        if (!verdict.ok) context.notOk();
      });
    });
};

interface StreamVerdict {
  readonly ok: boolean;
  readonly status: string;
  readonly open: number;
  readonly closed: number;
  readonly splitParents: number;
  /** Ranges of the hash key space that no open shard covers, `start-end`. */
  readonly uncovered: readonly string[];
}

/** Pure. */
export function verifyStream(status: string, shards: readonly StreamShard[]): StreamVerdict {
  const open = shards.filter((shard) => shard.open);
  const uncovered = holes(open.map((shard) => shard.range)).map((range) => `${range.start}-${range.end}`);
  return {
    ok: status === "ACTIVE" && uncovered.length === 0,
    status,
    open: open.length,
    closed: shards.length - open.length,
    splitParents: new Set(shards.flatMap((shard) => shard.parents)).size,
    uncovered,
  };
}

function verdictLines(stream: string, verdict: StreamVerdict, colour: boolean): string[] {
  const style = paint(colour);
  const mark = (ok: boolean) => (ok ? style.green("ok") : style.red("NOT OK"));
  const covered = verdict.uncovered.length === 0;
  return [
    ...renderTable(
      [
        { title: "stream" },
        { title: "status" },
        { title: "open", align: "right" },
        { title: "closed", align: "right" },
      ],
      [[stream, verdict.status, String(verdict.open), String(verdict.closed)]],
    ),
    "",
    `status ACTIVE: ${mark(verdict.status === "ACTIVE")}`,
    `every hash key covered by an open shard: ${mark(covered)}`,
    ...verdict.uncovered.slice(0, 5).map((range) => `  no open shard for ${range}`),
  ];
}
