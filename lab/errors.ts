/**
 * An error that the user can act on. Printed as one line: what was wrong, what was expected, what to do. No
 * stack.
 */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** 1: not ok. 2: wrong use. */
  readonly exitCode: 1 | 2;
  constructor(message: string, exitCode: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export const wrongUse = (message: string): CommandError => new CommandError(message, 2);

/** The user asked to stop (Ctrl-C, SIGTERM). Not an error: everything has been cleaned up. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
