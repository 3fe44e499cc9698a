/**
 * Where an application begins, and which stream its leases belong to. The first worker decides both once and
 * stores them in the lease table. They hold for every later worker and for every row created later.
 */

import { AT_TIMESTAMP, LATEST, type Lease, sentinel, TRIM_HORIZON } from "./lease.ts";
import type { Shard } from "./shard.ts";

export type InitialPosition = "TRIM_HORIZON" | "LATEST" | Date;

/** A stream that was deleted and created again under its name has another creation time. */
export interface StreamIdentity {
  readonly arn: string;
  /** Epoch milliseconds. */
  readonly createdMillis: number;
}

export interface Application {
  /**
   * Undefined: the stream could not be described (the permission is missing, or the endpoint does not offer
   * the call).
   */
  readonly stream: StreamIdentity | undefined;
  readonly initialPosition: "TRIM_HORIZON" | "LATEST" | "AT_TIMESTAMP";
  /** Epoch milliseconds: the moment that LATEST means, or the Date. Undefined with TRIM_HORIZON. */
  readonly startMillis: number | undefined;
  /**
   * The newest shard that existed when this was stored. Kinesis numbers shards in the order of their
   * creation.
   */
  readonly newestShardId: string | undefined;
  /**
   * The leases existed before this was stored, so it is unknown which shards existed when the application
   * began.
   */
  readonly isNotedLate: boolean;
  /** The stream was replaced, and the leases of the old stream are being deleted. */
  readonly isClearing: boolean;
}

/** The position where a new lease begins. */
export type Start = Pick<Lease, "checkpoint" | "startMillis">;

export const TRIM_HORIZON_START: Start = { checkpoint: sentinel(TRIM_HORIZON) };

/**
 * @param leases rows of an application that ran before this was stored (or of a Java fleet). The application
 *   began at the earliest LATEST among them.
 * @param nowMillis wall clock
 */
export function beginApplication(
  position: InitialPosition,
  stream: StreamIdentity | undefined,
  table: { readonly leases: readonly Lease[]; readonly shards: readonly Shard[] },
  nowMillis: number,
): Application {
  const { leases, shards } = table;
  const newest = shards.map(({ shardId }) => shardId).toSorted((a, b) => (isNewer(a, b) ? -1 : 1))[0];
  const rest = { stream, newestShardId: newest, isNotedLate: leases.length > 0, isClearing: false };
  if (position === "TRIM_HORIZON") return { ...rest, initialPosition: TRIM_HORIZON, startMillis: undefined };
  if (position !== "LATEST")
    return { ...rest, initialPosition: AT_TIMESTAMP, startMillis: position.getTime() };
  const begun = leases.flatMap(({ checkpoint, startMillis }) =>
    checkpoint.sequenceNumber === LATEST && startMillis !== undefined ? [startMillis] : [],
  );
  return { ...rest, initialPosition: LATEST, startMillis: Math.min(nowMillis, ...begun) };
}

const isNewer = (a: string, b: string): boolean => a.length > b.length || (a.length === b.length && a > b);

/** The shard was opened after the application began. Undefined: not known. */
export function isOpenedSince(
  { newestShardId, isNotedLate }: Application,
  shardId: string,
): boolean | undefined {
  if (newestShardId === undefined) return undefined;
  return isNewer(shardId, newestShardId) || (isNotedLate ? undefined : false);
}

/** The start of a shard that existed when the application began. */
export const startOf = ({ initialPosition, startMillis }: Application): Start =>
  initialPosition === TRIM_HORIZON
    ? TRIM_HORIZON_START
    : { checkpoint: sentinel(initialPosition), startMillis };

/**
 * The start of a shard opened later: its first record. If the application begins at a Date, that Date (as in
 * KCL).
 */
export const descendantStartOf = (application: Application): Start =>
  application.initialPosition === AT_TIMESTAMP ? startOf(application) : TRIM_HORIZON_START;

export const isOtherStream = (a: StreamIdentity, b: StreamIdentity): boolean =>
  a.arn !== b.arn || a.createdMillis !== b.createdMillis;

/** The leases belong to another stream. If either identity is unknown, nothing is proven: false. */
export const isReplaced = (application: Application, stream: StreamIdentity | undefined): boolean =>
  application.stream !== undefined && stream !== undefined && isOtherStream(application.stream, stream);

/** For messages. */
export const describeIdentity = (stream: StreamIdentity | undefined): string =>
  stream === undefined ? "unknown" : `${stream.arn}, created ${new Date(stream.createdMillis).toISOString()}`;

/**
 * The option's value as the application's row spells it. Used in the warning that the application began
 * elsewhere.
 */
export const positionNameOf = (position: InitialPosition): Application["initialPosition"] =>
  position instanceof Date ? AT_TIMESTAMP : position;
