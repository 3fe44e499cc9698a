/** The project's location, whether this runs from source or from the bundle in `.evenkeel/build`. */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRoot(from: string): string {
  let folder = from;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error(`no package.json above ${from}: run this from a clone of the project`);
    folder = parent;
  }
  return folder;
}

export const projectRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

/** A path below the project's folder. */
export const inProject = (...parts: string[]): string => join(projectRoot, ...parts);

/** A path below `.evenkeel/`, the project's runtime folder. Creates the path's parent folder. */
export function inRuntime(...parts: string[]): string {
  const path = inProject(".evenkeel", ...parts);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** The lock of an application's folders; see `withRunLock`. */
export const runLockFile = (application: string): string => inRuntime("turns", application);

/**
 * Where the producer and the consumers write their history files. On the embedded endpoint, `name` is the
 * application's name.
 */
export function historyFolder(name: string): string {
  const folder = inRuntime("history", name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * The number of consumers with a history file in the folder. The other files are the producer's and the lab's
 * own.
 */
export const consumersIn = (folder: string): number =>
  readdirSync(folder).filter((name) => /^(?!producer-|lab\.).*\.jsonl$/.test(name)).length;

/** Without this, lines of an earlier stack would count for the next one. */
export function emptyHistory(name: string): void {
  const folder = historyFolder(name);
  for (const name of readdirSync(folder)) if (name.endsWith(".jsonl")) rmSync(join(folder, name));
}
