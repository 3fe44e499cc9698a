/** `npm run local`: brings the bundles up to date, then runs the endpoint in this same process. */
import { bundle } from "./bundle.mjs";

await bundle(["local", "consumer", "producer"]);
await import("../.evenkeel/build/local.mjs");
