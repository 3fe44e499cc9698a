/** Errors with which a handler can report more than a failure. */
import { EvenkeelError } from "../../core/errors.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import type { RecordPosition } from "./reader-options.ts";

/**
 * Thrown by a handler for a record that can never be processed (for example, one that cannot be decoded).
 * `onError` is applied to that record at once, without further tries. The records before it in the batch are
 * given to the handler again, unless it has checkpointed them; the records after it follow.
 *
 * @example throw new PoisonRecordError(record, { cause: error });
 */
export class PoisonRecordError extends EvenkeelError {
  override readonly name = "PoisonRecordError";
  readonly record: RecordPosition;

  constructor(record: ConsumerRecord | RecordPosition, options?: ErrorOptions) {
    const { cause } = options ?? {};
    const why = cause === undefined ? "" : `: ${cause instanceof Error ? cause.message : String(cause)}`;
    super("POISON_RECORD", `the record ${record.sequenceNumber} cannot be processed${why}`, options);
    this.record = record;
  }
}

/**
 * Checks code and shape, not the class: the handler may use another copy of this package.
 * @returns the record that the error names; undefined for any other error
 */
export function poisonRecordOf(error: Error): RecordPosition | undefined {
  if (!("code" in error && error.code === "POISON_RECORD" && "record" in error)) return undefined;
  const { record } = error;
  const isRecord = typeof record === "object" && record !== null && "sequenceNumber" in record;
  return isRecord && typeof record.sequenceNumber === "string" ? (record as RecordPosition) : undefined;
}

export const errorOf = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(`not an Error was thrown: ${String(thrown)}`);
