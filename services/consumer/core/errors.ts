/** The errors of the library that a caller may meet. `code` is stable; the message says what to do. */
export class EvenkeelError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Thrown by `start()`, and the end of a running worker, when another living process has its worker id. */
export class DuplicateWorkerIdError extends EvenkeelError {
  constructor(workerId: string) {
    super(
      "DUPLICATE_WORKER_ID",
      `another living worker of this fleet has the worker id ${JSON.stringify(workerId)}: give each process its own workerId, or leave it out`,
    );
  }
}

/** Thrown by `start()`, and the end of a running worker, when the lease table's stream was deleted and made again. */
export class StreamReplacedError extends EvenkeelError {
  constructor(leases: string, stream: string) {
    super(
      "STREAM_REPLACED",
      `the lease table belongs to another stream (${leases}) than the one there is now (${stream}): its checkpoints mean nothing in it. Set applicationName (or leaseTableName) to a new name, or onStreamReplaced: "start-over" to delete the leases and begin anew`,
    );
  }
}

/** `stop()` was called before `start()` had finished. */
export class StoppedError extends EvenkeelError {
  constructor() {
    super("STOPPED", "the worker was stopped while it was starting");
  }
}
