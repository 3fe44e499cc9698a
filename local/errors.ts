/**
 * A failure of the endpoint that the user can act on. The message is one line. `exitCode` 2: wrong use or
 * set-up.
 */
export class EndpointError extends Error {
  override readonly name = "EndpointError";
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
