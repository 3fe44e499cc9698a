/** The producer container: configured from the environment. SIGTERM or SIGINT ends it after a final flush. */
import { pino } from "pino";
import { SettingsError } from "../contract/settings-reader.ts";
import { readProducerSettings } from "./settings.ts";
import { startProducer } from "./start-producer.ts";

async function main(): Promise<void> {
  // The SDK's warning about Node versions is meant for developers and would precede every line of our output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const { logLevel, ...settings } = readProducerSettings(process.env);
  const log = pino({ level: logLevel, base: { service: "producer" } });
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stop.abort());
  await startProducer({ ...settings, log, signal: stop.signal });
}

try {
  await main();
} catch (error) {
  console.error(`evenkeel producer: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = error instanceof SettingsError ? 2 : 1;
}
