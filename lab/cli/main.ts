/** `evenkeel <command>`: wires the commands up and turns whatever goes wrong into one line and an exit code. */
import { systemClock } from "../../src/platform.ts";
import { wantsColour } from "../terminal/paint.ts";
import type { Context } from "./context.ts";
import { reportError } from "./errors.ts";
import { buildProgram } from "./program.ts";

const stopping = new AbortController();
let stoppingSince: number | undefined;
/** npm passes Ctrl-C on although the terminal has sent it to us already: only one that comes later is a second one. */
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
// The terminal was closed: what runs in it is stopped in order too.
process.on("SIGHUP", onStop);
// npm passes SIGTERM to a shell between us, which dies of it without telling us: then this process gets another parent.
if (process.env.npm_execpath !== undefined) {
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    onStop();
  }, PARENT_LOOK_MILLIS).unref();
}
// `evenkeel … | head` closes our output: that is no error of ours. Nor is a terminal that is gone: SIGHUP ends us.
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
