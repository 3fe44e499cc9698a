/**
 * Where an application begins, and whose stream its leases are of: decided once, by the first worker, and kept in the
 * lease table, so that it holds for every worker that comes later and for every row that is made later.
 */

import { AT_TIMESTAMP, LATEST, type Lease, sentinel, TRIM_HORIZON } from "./lease.ts";
import type { Shard } from "./shard.ts";

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
  /** The newest shard that there was when this was noted: Kinesis numbers shards in the order of their creation. */
  readonly newestShardId: string | undefined;
  /** The leases were there before this was noted: which shards there were when the application began is not known. */
  readonly isNotedLate: boolean;
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

/** The shard was opened after the application had begun. Undefined: not known. */
export function isOpenedSince(
  { newestShardId, isNotedLate }: Application,
  shardId: string,
): boolean | undefined {
  if (newestShardId === undefined) return undefined;
  return isNewer(shardId, newestShardId) || (isNotedLate ? undefined : false);
}

/** Of a shard that there was when the application began. */
export const startOf = ({ initialPosition, startMillis }: Application): Start =>
  initialPosition === TRIM_HORIZON
    ? TRIM_HORIZON_START
    : { checkpoint: sentinel(initialPosition), startMillis };

/** Of a shard opened later: at its first record, or under a Date at that time (as KCL does). */
export const descendantStartOf = (application: Application): Start =>
  application.initialPosition === AT_TIMESTAMP ? startOf(application) : TRIM_HORIZON_START;

export const isOtherStream = (a: StreamIdentity, b: StreamIdentity): boolean =>
  a.arn !== b.arn || a.createdMillis !== b.createdMillis;

/** The leases are another stream's. What is not known on either side proves nothing. */
export const isReplaced = (application: Application, stream: StreamIdentity | undefined): boolean =>
  application.stream !== undefined && stream !== undefined && isOtherStream(application.stream, stream);

/** For messages. */
export const describeIdentity = (stream: StreamIdentity | undefined): string =>
  stream === undefined ? "unknown" : `${stream.arn}, created ${new Date(stream.createdMillis).toISOString()}`;

/** What the option asks for, in the row's words; for the warning when the application began otherwise. */
export const positionNameOf = (position: InitialPosition): Application["initialPosition"] =>
  position instanceof Date ? AT_TIMESTAMP : position;
