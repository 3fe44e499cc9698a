/**
 * Where an application begins, and whose stream its leases are of: decided once, by the first worker, and kept in the
 * lease table, so that it holds for every worker that comes later and for every row that is made later.
 */
import { AT_TIMESTAMP, LATEST, type Lease, sentinel, TRIM_HORIZON } from "./lease.ts";

export type InitialPosition = "TRIM_HORIZON" | "LATEST" | Date;

/** A stream that was deleted and made again under its name has another creation time. */
export interface StreamIdentity {
  readonly arn: string;
  /** Epoch milliseconds. */
  readonly createdMillis: number;
}

export interface Application {
  /** Undefined: the stream could not be described (the right is missing, or the endpoint does not offer it). */
  readonly stream: StreamIdentity | undefined;
  readonly initialPosition: "TRIM_HORIZON" | "LATEST" | "AT_TIMESTAMP";
  /** Epoch milliseconds: the moment that LATEST means, or the Date. Undefined with TRIM_HORIZON. */
  readonly startMillis: number | undefined;
  /** The stream was replaced, and the leases of the one before are being deleted. */
  readonly isClearing: boolean;
}

/** Where a new lease begins. */
export type Start = Pick<Lease, "checkpoint" | "startMillis">;

export const TRIM_HORIZON_START: Start = { checkpoint: sentinel(TRIM_HORIZON) };

/**
 * @param leases rows of an application that ran before it kept this (or of a Java fleet): the earliest LATEST among them
 * is the moment at which it began
 * @param nowMillis wall clock
 */
export function beginApplication(
  position: InitialPosition,
  stream: StreamIdentity | undefined,
  leases: readonly Lease[],
  nowMillis: number,
): Application {
  const rest = { stream, isClearing: false };
  if (position === "TRIM_HORIZON") return { ...rest, initialPosition: TRIM_HORIZON, startMillis: undefined };
  if (position !== "LATEST")
    return { ...rest, initialPosition: AT_TIMESTAMP, startMillis: position.getTime() };
  const begun = leases.flatMap(({ checkpoint, startMillis }) =>
    checkpoint.sequenceNumber === LATEST && startMillis !== undefined ? [startMillis] : [],
  );
  return { ...rest, initialPosition: LATEST, startMillis: Math.min(nowMillis, ...begun) };
}

/** Of a shard without a leased ancestor. */
export const startOf = ({ initialPosition, startMillis }: Application): Start =>
  initialPosition === TRIM_HORIZON
    ? TRIM_HORIZON_START
    : { checkpoint: sentinel(initialPosition), startMillis };

/** Of a shard with one: at its first record, or under a Date at that time (as KCL does). */
export const descendantStartOf = (application: Application): Start =>
  application.initialPosition === AT_TIMESTAMP ? startOf(application) : TRIM_HORIZON_START;

/** The leases are another stream's. What is not known on either side proves nothing. */
export const isReplaced = (application: Application, stream: StreamIdentity | undefined): boolean =>
  application.stream !== undefined &&
  stream !== undefined &&
  (application.stream.arn !== stream.arn || application.stream.createdMillis !== stream.createdMillis);

/** What the option asks for, in the row's words; for the warning when the application began otherwise. */
export const positionNameOf = (position: InitialPosition): Application["initialPosition"] =>
  position instanceof Date ? AT_TIMESTAMP : position;
