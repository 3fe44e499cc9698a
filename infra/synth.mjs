/**
 * The program that cdk.json starts: bundles the app if a source file changed, and runs it. A synthesis takes
 * about a second. With `npx tsx` it took twelve, most of it for resolving and compiling modules one by one.
 */
import { fileURLToPath } from "node:url";
import { bundle } from "../tools/bundle.mjs";

// The app's asset paths are relative to the project, wherever the CLI was started.
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
await bundle(["synth"]);
await import("../.evenkeel/build/synth.mjs");
