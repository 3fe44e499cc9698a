/**
 * The errors of the library that a caller may meet. `code` is stable; the message says what to do.
 *
 * Tell them by `code`, not by class: a service may have two copies of this package, and a bundler may rename classes.
 * That is also why each name is written out.
 */
export class EvenkeelError extends Error {
  override readonly name: string = "EvenkeelError";
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Thrown by `createWorker`: names the option, the value, what is expected, and the remedy. */
export class OptionError extends EvenkeelError {
  override readonly name = "OptionError";
  constructor(message: string) {
    super("WRONG_OPTION", message);
  }
}

/**
 * Thrown by `checkpoint` for a position beyond what was delivered, before the last checkpoint, or that is no sequence
 * number; and in a call that has failed, timed out or lost its lease.
 */
export class CheckpointRefused extends EvenkeelError {
  override readonly name = "CheckpointRefused";
  constructor(message: string) {
    super("CHECKPOINT_REFUSED", message);
  }
}

/** Thrown by `start()`, and the end of a running worker, when another living process has its worker id. */
export class DuplicateWorkerIdError extends EvenkeelError {
  override readonly name = "DuplicateWorkerIdError";
  constructor(workerId: string) {
    super(
      "DUPLICATE_WORKER_ID",
      `another living worker of this fleet has the worker id ${JSON.stringify(workerId)}: give each process its own workerId, or leave it out`,
    );
  }
}

/** Thrown by `start()`, and the end of a running worker, when the lease table's stream was deleted and made again. */
export class StreamReplacedError extends EvenkeelError {
  override readonly name = "StreamReplacedError";
  constructor(leases: string, stream: string) {
    super(
      "STREAM_REPLACED",
      `the lease table belongs to another stream (${leases}) than the one there is now (${stream}): its checkpoints mean nothing in it. Set applicationName (or leaseTableName) to a new name, or onStreamReplaced: "start-over" to delete the leases and begin anew`,
    );
  }
}

/** Thrown by `start()` when `stop()` was called before it had finished. */
export class StoppedError extends EvenkeelError {
  override readonly name = "StoppedError";
  constructor() {
    super("STOPPED", "the worker was stopped while it was starting");
  }
}

/** The code of an error that is named by what can be done about it: `denied` is DENIED. */
export const codeOf = (errorClass: string): string => errorClass.toUpperCase().replaceAll("-", "_");
