import { type ChildProcess, spawn } from "node:child_process";

/**
 * Kills the endpoint's processes if the endpoint itself is killed. The watchdog is a small shell whose
 * standard input is a pipe from the endpoint. The pipe closes when the endpoint's process ends, however it
 * ends.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups=
while read -r verb group; do
  case "$verb" in
    add) groups="$groups $group" ;;
    remove) rest=; for other in $groups; do [ "$other" = "$group" ] || rest="$rest $other"; done; groups=$rest ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
rm -rf -- "$1"
`;

export class Watchdog {
  readonly #shell: ChildProcess;

  /** `temporaryFolder` is removed with the endpoint. */
  constructor(temporaryFolder: string) {
    this.#shell = spawn("/bin/sh", ["-c", SCRIPT, "evenkeel-watchdog", temporaryFolder], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    // A broken pipe means that the shell was killed. The endpoint continues without a watchdog.
    this.#shell.stdin!.on("error", () => undefined);
    this.#shell.on("error", () => undefined);
    this.#shell.unref();
  }

  /** From now on, the process group `group` is killed when the endpoint ends. */
  add(group: number): void {
    this.#shell.stdin!.write(`add ${group}\n`);
  }

  remove(group: number): void {
    this.#shell.stdin!.write(`remove ${group}\n`);
  }

  /** Kills the remaining groups and removes the temporary folder. Resolves when that is done. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#shell.exitCode !== null || this.#shell.pid === undefined) return resolve();
      this.#shell.ref();
      this.#shell.once("exit", () => resolve());
      this.#shell.stdin!.end();
    });
  }
}

/** Signals every process of a group. An empty group is not an error: the processes have already ended. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
