/** `evenkeel <command>`: registers the commands and converts every error to one line and an exit code. */
import { systemClock } from "../../src/platform.ts";
import { wantsColour } from "../terminal/paint.ts";
import type { Context } from "./context.ts";
import { reportError } from "./errors.ts";
import { buildProgram } from "./program.ts";

const stopping = new AbortController();
let stoppingSince: number | undefined;
/**
 * npm forwards a Ctrl-C that the terminal has already sent to this process. Only a later one counts as a
 * second.
 */
const SAME_KEY_MILLIS = 500;
const PARENT_LOOK_MILLIS = 250;
const onStop = () => {
  const now = systemClock.monotonicMillis();
  stoppingSince ??= now;
  stopping.abort();
  if (now - stoppingSince > SAME_KEY_MILLIS) process.exit(130);
};
process.on("SIGINT", onStop);
process.on("SIGTERM", onStop);
// The terminal was closed: stop in order, as with Ctrl-C.
process.on("SIGHUP", onStop);
// npm sends SIGTERM to a shell between npm and this process. The shell dies without forwarding it, and this
// process gets another parent.
if (process.env.npm_execpath !== undefined) {
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    onStop();
  }, PARENT_LOOK_MILLIS).unref();
}
// `evenkeel … | head` closes the output, which is not an error. Neither is a closed terminal: SIGHUP ends the
// process.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EIO") return;
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    throw error;
  });

const context: Context = {
  clock: systemClock,
  signal: stopping.signal,
  stdout: process.stdout,
  stderr: process.stderr,
  colour: wantsColour(process.stdout, process.env),
  print: (line) => void process.stdout.write(`${line}\n`),
  printJson: (value) => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
  note: (line) => void process.stderr.write(`${line}\n`),
  notOk: () => {
    process.exitCode = 1;
  },
};

const program = buildProgram(context);
try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = reportError(error, context, program);
}
