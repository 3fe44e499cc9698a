/** Debian's Chromium, or the one that CHROMIUM names. Browser tests are skipped if there is none. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PROGRAM = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const hasChromium = existsSync(PROGRAM);
if (!hasChromium)
  console.warn(
    `browser tests are skipped: there is no ${PROGRAM} (apt-get install chromium, or set CHROMIUM)`,
  );

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: PROGRAM, args: FLAGS });
