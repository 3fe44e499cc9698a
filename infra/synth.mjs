/**
 * What cdk.json starts: bundles the app when a source changed, and runs it. A synthesis takes about a second this
 * way; through `npx tsx` it was twelve, most of it spent on finding and compiling modules one by one.
 */
import { fileURLToPath } from "node:url";
import { bundle } from "../tools/bundle.mjs";

// Asset paths in the app are relative to the project, wherever the CLI was started.
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
await bundle(["synth"]);
await import("../.evenkeel/build/synth.mjs");
