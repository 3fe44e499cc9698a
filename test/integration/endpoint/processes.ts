import { execFileSync } from "node:child_process";

/** Processes by id, each with its command: an id alone may be another process's by the time one looks again. */
export type Family = ReadonlyMap<number, string>;

function all(): Map<number, { parent: number; command: string }> {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,stat=,args="], { encoding: "utf8" }).split("\n");
  const rows = lines
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((row) => row !== null);
  return new Map(
    rows
      .filter((row) => !row[3]!.startsWith("Z"))
      .map((row) => [Number(row[1]), { parent: Number(row[2]), command: row[4]! }]),
  );
}

/** `pid` and every process that descends from it; the group leaders of the endpoint stay its children. */
export function familyOf(pid: number): Family {
  const now = all();
  const family = new Map([[pid, now.get(pid)?.command ?? ""]]);
  for (const [member] of family)
    for (const [child, { parent, command }] of now) if (parent === member) family.set(child, command);
  return family;
}

/** Those of them that live still: `<id> <command>`. */
export function living(family: Family): string[] {
  const now = all();
  return [...family]
    .filter(([pid, command]) => now.get(pid)?.command === command)
    .map(([pid, command]) => `${pid} ${command.slice(0, 100)}`);
}
