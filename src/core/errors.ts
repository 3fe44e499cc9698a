/**
 * The errors that the library throws to its caller. `code` is stable; the message states the remedy.
 *
 * Distinguish errors by `code`, not by class: a service may have two copies of this package, and a bundler
 * may rename classes. For the same reason each name is written as a literal.
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
 * Thrown by `checkpoint` for a position that is beyond what was delivered, before the last checkpoint, or not
 * a sequence number. Also thrown in a call that has failed, timed out or lost its lease.
 */
export class CheckpointRefusedError extends EvenkeelError {
  override readonly name = "CheckpointRefusedError";
  constructor(message: string) {
    super("CHECKPOINT_REFUSED", message);
  }
}

/** Thrown by `start()` when another living process has this worker id. It also ends a running worker. */
export class DuplicateWorkerIdError extends EvenkeelError {
  override readonly name = "DuplicateWorkerIdError";
  constructor(workerId: string) {
    super(
      "DUPLICATE_WORKER_ID",
      `another living worker of this fleet has the worker id ${JSON.stringify(workerId)}: give each process its own workerId, or leave it out`,
    );
  }
}

/**
 * Thrown by `start()` when the stream of the lease table was deleted and created again. It also ends a
 * running worker.
 */
export class StreamReplacedError extends EvenkeelError {
  override readonly name = "StreamReplacedError";
  constructor(leases: string, stream: string) {
    super(
      "STREAM_REPLACED",
      `the lease table belongs to another stream (${leases}) than the one there is now (${stream}): its checkpoints mean nothing in it. Set applicationName (or leaseTableName) to a new name, or onStreamReplaced: "start-over" to delete the leases and begin anew`,
    );
  }
}

/** Thrown by `start()` when `stop()` is called before it has finished. */
export class StoppedError extends EvenkeelError {
  override readonly name = "StoppedError";
  constructor() {
    super("STOPPED", "the worker was stopped while it was starting");
  }
}

/** The code for an error class: `denied` becomes DENIED. */
export const codeOf = (errorClass: string): string => errorClass.toUpperCase().replaceAll("-", "_");
