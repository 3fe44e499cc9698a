import { createHash } from "node:crypto";
import { join } from "node:path";
import { CONSUMER_ENVIRONMENT, PRODUCER_ENVIRONMENT } from "../../services/contract/environment.ts";

/**
 * The replacement for a container image: a program on this machine, started directly (never through a shell).
 */
export interface ImageCommand {
  command: string;
  args: string[];
  /** The variables that the program reads, besides those of AWS. A task may set only these. Default: none. */
  variables?: readonly string[];
}

export type ImageTable = Record<string, ImageCommand>;

/**
 * As in the Dockerfile's CMD. A semi-space of 4 MiB instead of 16 saves 8 MiB in an idle worker. Reading a
 * backlog then costs a few percent more CPU (`npm run bench -- cost per-record`).
 */
const NODE_OPTIONS = ["--max-semi-space-size=4"];

/** The stack's images are the bundles built by `tools/bundle.mjs`. */
export function projectImages(buildFolder: string): ImageTable {
  const node = (bundle: string, environment: Readonly<Record<string, string>>) => ({
    command: process.execPath,
    args: [...NODE_OPTIONS, join(buildFolder, `${bundle}.mjs`)],
    variables: Object.values(environment),
  });
  return {
    "evenkeel/consumer": node("consumer", CONSUMER_ENVIRONMENT),
    "evenkeel/producer": node("producer", PRODUCER_ENVIRONMENT),
  };
}

/** An image's manifest digest, as a registry would return it. Here it only has to be stable. */
export const imageDigest = (name: string): string =>
  `sha256:${createHash("sha256").update(name).digest("hex")}`;

/** Resolves `registry/evenkeel/consumer:tag@sha256:…`, or an image's digest alone, to `evenkeel/consumer`. */
export function findImage(
  images: ImageTable,
  reference: string,
): { name: string; run: ImageCommand } | undefined {
  const bare = reference.split("@")[0]!.replace(/:[^/]*$/, "");
  const isMeant = (name: string) =>
    bare === name || bare.endsWith(`/${name}`) || reference === imageDigest(name);
  const name = Object.keys(images).find(isMeant);
  return name === undefined ? undefined : { name, run: images[name]! };
}
