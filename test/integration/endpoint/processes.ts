import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Processes by id, each with its command: an id alone may belong to another process later. */
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

/** `pid` and every process that descends from it. The endpoint's group leaders remain its children. */
export function familyOf(pid: number): Family {
  const now = all();
  const family = new Map([[pid, now.get(pid)?.command ?? ""]]);
  for (const [member] of family)
    for (const [child, { parent, command }] of now) if (parent === member) family.set(child, command);
  return family;
}

/** Those of them that still run: `<id> <command>`. */
export function living(family: Family): string[] {
  const now = all();
  return [...family]
    .filter(([pid, command]) => now.get(pid)?.command === command)
    .map(([pid, command]) => `${pid} ${command.slice(0, 100)}`);
}

/**
 * `address:port` of every TCP listener of a family, from Linux's tables. Addresses are hexadecimal, with
 * their bytes reversed.
 */
export function listenersOf(family: Family): string[] {
  const sockets = new Set(
    [...family.keys()].flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        return /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      }),
    ),
  );
  const LISTEN = "0A";
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) =>
    readFileSync(table, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === LISTEN && sockets.has(columns[9] ?? ""))
      .map((columns) => {
        const [address = "", port = ""] = columns[1]!.split(":");
        const bytes = address.match(/../g)!.map((byte) => Number.parseInt(byte, 16));
        return `${bytes.reverse().join(".")}:${Number.parseInt(port, 16)}`;
      }),
  );
}

/** The target of a link; empty for a file that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
