/**
 * The packages of package-lock.json, and which of them are shipped. Shipped packages are those that an
 * installed evenkeel depends on, and those that the bundles of the container images and the Lambda function
 * contain (for example pino, which npm calls a development dependency). The others are tools: they run only
 * on a developer's machine.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const BARE_IMPORT = /^(?:import|export)\b[^;]*?\bfrom\s+"((?:@[\w.-]+\/)?[\w.-]+)(?:\/[^"]*)?"/gm;

/** @returns {Record<string, any>} the lockfile's entries by path, e.g. `node_modules/pino` */
export function lockedPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.fromEntries(Object.entries(packages).filter(([path]) => path !== ""));
}

export const packageName = (path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

/** The lockfile paths of all shipped packages. */
export function shippedPaths(root, packages = lockedPackages(root)) {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const roots = [
    ...Object.keys(manifest.dependencies ?? {}),
    ...importsBelow(join(root, "src")),
    ...importsBelow(join(root, "services")),
  ];
  const shipped = new Set();
  const add = (name, from) => {
    const path = resolve(packages, name, from);
    if (path === undefined || shipped.has(path)) return;
    shipped.add(path);
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = packages[path];
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
      add(needed, path);
  };
  for (const name of roots) add(name, "");
  return shipped;
}

/** Resolves a package as Node does: in the node_modules of `from`, then in each folder above it. */
function resolve(packages, name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

/** The names of packages that source files import, without Node's own modules and relative files. */
function importsBelow(folder) {
  const names = new Set();
  if (!existsSync(folder)) return names;
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const source = readFileSync(join(folder, file), "utf8");
    for (const [, name] of source.matchAll(BARE_IMPORT)) names.add(name);
  }
  return names;
}
