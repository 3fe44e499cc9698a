import { createHash } from "node:crypto";
import { join } from "node:path";
import { CONSUMER_ENVIRONMENT, PRODUCER_ENVIRONMENT } from "../../services/contract/environment.ts";

/** What stands for a container image: a program of this machine, started directly (never through a shell). */
export interface ImageCommand {
  command: string;
  args: string[];
  /** The variables that the program reads, beside those of AWS: a task may set these and no other. Default: none. */
  variables?: readonly string[];
}

export type ImageTable = Record<string, ImageCommand>;

/**
 * As the Dockerfile's CMD. A nursery of 4 MiB instead of 16 keeps 8 MiB of an idle worker's memory; reading a backlog
 * costs a few percent more CPU with it (`npm run bench -- cost per-record`).
 */
const NODE_OPTIONS = ["--max-semi-space-size=4"];

/** The images of the stack are the bundles that `tools/bundle.mjs` makes. */
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

/** An image's manifest digest, as a registry would give it: here it only has to be the same each time. */
export const imageDigest = (name: string): string =>
  `sha256:${createHash("sha256").update(name).digest("hex")}`;

/** Finds `registry/evenkeel/consumer:tag@sha256:…`, or an image's digest alone, as `evenkeel/consumer`. */
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
