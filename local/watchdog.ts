import { type ChildProcess, spawn } from "node:child_process";

/**
 * Kills what the endpoint started when the endpoint itself was killed: a small shell whose standard input is a pipe
 * from the endpoint. The pipe ends with the endpoint's process, however that ends.
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
    // A broken pipe here means that the shell was killed: the endpoint goes on, unguarded.
    this.#shell.stdin!.on("error", () => undefined);
    this.#shell.on("error", () => undefined);
    this.#shell.unref();
  }

  /** From now on the process group `group` ends with the endpoint. */
  add(group: number): void {
    this.#shell.stdin!.write(`add ${group}\n`);
  }

  remove(group: number): void {
    this.#shell.stdin!.write(`remove ${group}\n`);
  }

  /** Ends what is left and removes the temporary folder; resolves when that is done. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#shell.exitCode !== null || this.#shell.pid === undefined) return resolve();
      this.#shell.ref();
      this.#shell.once("exit", () => resolve());
      this.#shell.stdin!.end();
    });
  }
}

/** Signals every process of a group; that none is left is no error, because it is what a signal is sent for. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
