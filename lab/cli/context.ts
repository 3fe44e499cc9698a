/** The context of every command: output, time and the stop signal. */
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
  /** Writes a line to stdout. */
  print(line: string): void;
  /** Writes data to stdout, as JSON. */
  printJson(value: unknown): void;
  /** Writes a line to stderr: progress and remarks, never data. */
  note(line: string): void;
  /** The command ran, but its subject is not ok: exit code 1 without an error line. */
  notOk(): void;
}

export type Register = (program: Command, context: Context) => void;
