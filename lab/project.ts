/** Where the project lies, whether this runs from source or from the bundle in `.evenkeel/build`. */
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

/** A path below `.evenkeel/`, the project's runtime folder; makes the folder that holds it. */
export function inRuntime(...parts: string[]): string {
  const path = inProject(".evenkeel", ...parts);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** Whose turn it is with an application's folders; see `withRunLock`. */
export const runLockFile = (application: string): string => inRuntime("turns", application);

/** Where producer and consumers write their history files; the embedded endpoint's go by the application's name. */
export function historyFolder(name: string): string {
  const folder = inRuntime("history", name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** How many consumers wrote a history there; the others are the producer's, and the lab's own. */
export const consumersIn = (folder: string): number =>
  readdirSync(folder).filter((name) => /^(?!producer-|lab\.).*\.jsonl$/.test(name)).length;

/** Lines of an earlier stack would be lines of the next one. */
export function emptyHistory(name: string): void {
  const folder = historyFolder(name);
  for (const name of readdirSync(folder)) if (name.endsWith(".jsonl")) rmSync(join(folder, name));
}
