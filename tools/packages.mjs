/**
 * The packages of package-lock.json, and which of them are shipped: those that an installed evenkeel brings along, and
 * those that the bundles of the container images and of the Lambda function contain (pino, say, which npm calls a
 * development dependency). The rest are tools: they run on a developer's machine only.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const BARE_IMPORT = /^(?:import|export)\b[^;]*?\bfrom\s+"((?:@[\w.-]+\/)?[\w.-]+)(?:\/[^"]*)?"/gm;

/** @returns {Record<string, any>} the lockfile's entries by their path, e.g. `node_modules/pino` */
export function lockedPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.fromEntries(Object.entries(packages).filter(([path]) => path !== ""));
}

export const packageName = (path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

/** The lockfile's paths of everything that is shipped. */
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

/** As Node looks for a package: in the node_modules of `from`, then of each folder above it. */
function resolve(packages, name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

/** Names of the packages that source files import; Node's own modules and relative files are none. */
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
