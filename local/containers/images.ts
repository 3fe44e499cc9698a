import { join } from "node:path";

/** What stands for a container image: a program of this machine, started directly (never through a shell). */
export interface ImageCommand {
  command: string;
  args: string[];
}

export type ImageTable = Record<string, ImageCommand>;

/** The images of the stack are the bundles that `tools/bundle.mjs` makes. */
export function projectImages(buildFolder: string): ImageTable {
  const node = (bundle: string) => ({
    command: process.execPath,
    args: [join(buildFolder, `${bundle}.mjs`)],
  });
  return { "evenkeel/consumer": node("consumer"), "evenkeel/producer": node("producer") };
}

/** Finds `registry/evenkeel/consumer:tag@sha256:…` as `evenkeel/consumer`. */
export function findImage(
  images: ImageTable,
  reference: string,
): { name: string; run: ImageCommand } | undefined {
  const bare = reference.split("@")[0]!.replace(/:[^/]*$/, "");
  const name = Object.keys(images).find((known) => bare === known || bare.endsWith(`/${known}`));
  return name === undefined ? undefined : { name, run: images[name]! };
}
