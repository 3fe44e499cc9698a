/** docs/chaos.md: what each fault costs, as measured by one run. */
import { duration } from "../../lab/terminal/table.ts";
import { GROUPS, type RowResult } from "./row.ts";

const TITLES: Readonly<Record<(typeof GROUPS)[number], string>> = {
  processes: "Processes",
  handler: "The handler",
  table: "DynamoDB",
  stream: "Kinesis",
  metrics: "CloudWatch",
  reshards: "Splits and merges",
  "by hand": "Rows edited by hand",
  identity: "Who is who",
};

const HEAD = `# Chaos

Real worker processes on the embedded endpoint, with faults from the gateway and signals from the outside:
\`npm run chaos\`. Each row is a fleet of four workers on eight shards with 100 records a second, a failover time of
4 s and a checkpoint interval of 2 s. The fleet is even and processes records when the trouble begins; the load goes on
through the trouble and for a while after. Faults of DynamoDB and Kinesis last three failover times. A row is
judged from its whole history by the experiment's checkers.

* **lost**: records that were put and never processed. Expected: 0 in every row.
* **doubled**: records processed twice. Expected: 0 in planned moves, and whenever a fault hits all workers alike.
  Where one worker crashes or is cut off, what it had processed after its last checkpoint comes again.
* **order**: records of a key processed out of order, and children read before their parents. Expected: 0.
* **longest wait**: of a record, from its put (or from the healing, if that was later) to its processing. Expected: at
  most the failover time and 5 s, and after a failing handler the pause between two tries (as long as the outage, 30 s at
  most). What the endpoint itself takes to answer on a busy machine is measured beside it and added.
* **said**: the first line of a worker's log at level \`warn\` or above about it, and when. Expected: within 30 s.

Again, one row: \`npm run chaos -- --row NAME --seed N\`. Longer faults: \`--all\`. The names: \`--list\`.
This page is written by the command: \`npm run chaos -- --write docs/chaos.md\`.
`;

const COLUMNS = "| row | what happens | lost | doubled | order | longest wait | said |";
const RULE = "|---|---|---|---|---|---|---|";

/** @param called every operation that a worker called, as counted by the gateway */
export function matrixPage(results: readonly RowResult[], seed: number, called: ReadonlySet<string>): string {
  const failed = results.filter(({ ok }) => !ok);
  const groups = GROUPS.flatMap((group) => {
    const rows = results.filter((result) => result.group === group);
    return rows.length === 0 ? [] : ["", `## ${TITLES[group]}`, "", COLUMNS, RULE, ...rows.map(line)];
  });
  const failures = failed.flatMap(({ name, checks }) =>
    checks
      .filter(({ ok }) => !ok)
      .map(
        (check) =>
          `* \`${name}\`, ${check.name}: expected ${check.expected}, was ${escaped(String(check.actual))}`,
      ),
  );
  return [
    HEAD,
    `The run on this page: seed ${seed}, ${results.length} rows, ${failed.length} failed.`,
    ...groups,
    ...(called.size === 0
      ? []
      : ["", "## What the workers called", "", `${[...called].toSorted().join(", ")}.`]),
    ...(failures.length === 0 ? [] : ["", "## Not as expected", "", ...failures]),
    "",
  ].join("\n");
}

function line({ name, about, ok, figures }: RowResult): string {
  const { lost, doubled, doubledBecause, disordered, longestWaitMillis, said, halted } = figures;
  const wait = longestWaitMillis === null ? "–" : duration(longestWaitMillis);
  const cells = [
    ok ? `\`${name}\`` : `**\`${name}\`**`,
    about,
    halted === 0 ? lost : `${lost} (${halted} shards halted)`,
    doubledBecause === "" ? doubled : `${doubled}: ${doubledBecause}`,
    disordered,
    wait,
    said === null ? "–" : `${duration(said.afterMillis)}: ${escaped(said.text)}`,
  ];
  return `| ${cells.join(" | ")} |`;
}

const escaped = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
