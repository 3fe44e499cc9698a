/** What every command gets: output, time and the stop signal. */
import type { Command } from "commander";
import type { Clock } from "../../src/ports/clock.ts";

export interface GlobalOptions {
  readonly aws: boolean;
  readonly yes: boolean;
  readonly application: string;
  readonly verbose: boolean;
}

export interface Context {
  readonly clock: Clock;
  /** Aborts at the first Ctrl-C (or SIGTERM). */
  readonly signal: AbortSignal;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly colour: boolean;
  /** A line on stdout. */
  print(line: string): void;
  /** Data on stdout, as JSON. */
  printJson(value: unknown): void;
  /** A line on stderr: progress and remarks, never data. */
  note(line: string): void;
  /** The command ran, but what it looked at is not ok: exit 1 without an error line. */
  notOk(): void;
}

export type Register = (program: Command, context: Context) => void;
