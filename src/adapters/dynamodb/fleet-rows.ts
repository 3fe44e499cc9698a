/**
 * The fleet rows: `{leaseKey: "evenkeel-fleet-<number>", entityType, generation, shardSyncRequests,
 * members}`. `members` is a map from worker id to an entry of one-letter attributes. A fleet row of 12
 * members stays below 1 KB, so that a heartbeat costs one write unit and a poll half a read unit. Where the
 * leader of a very large fleet assigns, `assignments` is a map from lease key to assignment, and the row is
 * larger while leases move.
 *
 * Every join and heartbeat also writes the KCL attributes, which make Java KCL tolerate the row, and moves
 * their counter (`kcl-attributes.ts`).
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import {
  type Assignment,
  DEFAULT_FAILOVER_TIME_MILLIS,
  type FleetRow,
  type FleetSize,
  type Member,
  type MemberState,
} from "../../core/member.ts";
import {
  type Item,
  LEASE_KEY,
  RowError,
  readCount,
  readFlag,
  readMap,
  readText,
  required,
  shown,
} from "./attributes.ts";
import { movingKclAttributes } from "./kcl-attributes.ts";
import { FLEET_ATTRIBUTES, fleetRowKey } from "./own-rows.ts";

const FLEET_KEY = /^evenkeel-fleet-(\d+)$/;
/**
 * Only the form that `fleetRowKey` writes. The bound is far above any fleet: each fleet row has 12 members.
 */
const ROW = /^(0|[1-9]\d{0,5})$/;

/** One letter each: every entry pays for the names of its attributes. */
const ENTRY = {
  incarnation: "i",
  heartbeat: "h",
  state: "s",
  /** Absent: no cap. */
  maxLeases: "m",
  /** Absent: true, as for most members. */
  steals: "t",
  /** Absent: KCL's default, as for most members. */
  failoverTimeMillis: "f",
  /** Absent: false, as for most members. */
  covers: "b",
  /** Absent: the worker is not young any more, as most are not. */
  earlyDeaths: "y",
  /** Absent: the leader does not assign. */
  leases: "l",
} as const;

const ASSIGNMENT = { worker: "w", to: "t", counter: "c", owner: "o" } as const;
const SIZE = { workers: "w", shards: "s" } as const;

const STATE_LETTERS: Readonly<Record<MemberState, string>> = {
  joining: "j",
  active: "a",
  leaving: "l",
  dead: "d",
};
const DEAD_LETTER = STATE_LETTERS.dead;

const STATES = new Map(
  Object.entries(STATE_LETTERS).map(([state, letter]) => [letter, state as MemberState]),
);

export function encodeMember(member: Member): AttributeValue {
  const entry: Record<string, AttributeValue> = {
    [ENTRY.incarnation]: { S: member.incarnation },
    [ENTRY.heartbeat]: { N: String(member.heartbeat) },
    [ENTRY.state]: { S: STATE_LETTERS[member.state] },
  };
  if (member.failoverTimeMillis !== DEFAULT_FAILOVER_TIME_MILLIS)
    entry[ENTRY.failoverTimeMillis] = { N: String(Math.round(member.failoverTimeMillis)) };
  if (member.covers) entry[ENTRY.covers] = { BOOL: true };
  if (member.earlyDeaths !== undefined) entry[ENTRY.earlyDeaths] = { N: String(member.earlyDeaths) };
  if (member.leases !== undefined) entry[ENTRY.leases] = { N: String(member.leases) };
  if (!member.steals) entry[ENTRY.steals] = { BOOL: false };
  if (member.maxLeases !== undefined) entry[ENTRY.maxLeases] = { N: String(member.maxLeases) };
  return { M: entry };
}

/**
 * Throws `RowError` for a fleet row that cannot be decoded. A row that another program's wake-up request
 * created has no members yet.
 */
export function decodeFleetRow(item: Item): FleetRow {
  const leaseKey = required(readText(item, LEASE_KEY), LEASE_KEY);
  const fleetRow = FLEET_KEY.exec(leaseKey)?.[1];
  if (fleetRow === undefined || !ROW.test(fleetRow))
    throw new RowError(`${LEASE_KEY} is "${shown(leaseKey)}", expected evenkeel-fleet-<number>`);
  const entries = readMap(item, FLEET_ATTRIBUTES.members) ?? {};
  const members: Member[] = [];
  const unreadable: string[] = [];
  // In the order of their ids: the order of a map has no meaning, and plans are made from this.
  for (const workerId of Object.keys(entries).toSorted()) {
    try {
      members.push(decodeMember(workerId, readMap(entries, workerId) ?? {}));
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      unreadable.push(error.message);
    }
  }
  const assignments = decodeAssignments(item);
  const size = decodeSize(item);
  return {
    number: Number(fleetRow),
    version: readCount(item, FLEET_ATTRIBUTES.version) ?? 0,
    shardSyncRequests: readCount(item, FLEET_ATTRIBUTES.shardSyncRequests) ?? 0,
    members,
    ...(assignments.length > 0 && { assignments }),
    ...(size && { size }),
    ...(unreadable.length > 0 && { unreadable }),
  };
}

/** The malformed attributes of a fleet row that cannot be decoded. */
export function garbledAttributes(item: Item): readonly string[] {
  const { members, version, shardSyncRequests } = FLEET_ATTRIBUTES;
  const checks = [
    [members, () => readMap(item, members)],
    [version, () => readCount(item, version)],
    [shardSyncRequests, () => readCount(item, shardSyncRequests)],
  ] as const;
  return checks.flatMap(([name, check]) => {
    try {
      check();
      return [];
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      return [name];
    }
  });
}

function decodeMember(workerId: string, entry: Item): Member {
  try {
    const earlyDeaths = readCount(entry, ENTRY.earlyDeaths);
    const leases = readCount(entry, ENTRY.leases);
    const letter = required(readText(entry, ENTRY.state), ENTRY.state);
    const state = STATES.get(letter);
    if (state === undefined)
      throw new RowError(`${ENTRY.state} is "${shown(letter)}", expected j, a, l or d`);
    return {
      workerId,
      incarnation: required(readText(entry, ENTRY.incarnation), ENTRY.incarnation),
      heartbeat: required(readCount(entry, ENTRY.heartbeat), ENTRY.heartbeat),
      state,
      maxLeases: readCount(entry, ENTRY.maxLeases),
      steals: readFlag(entry, ENTRY.steals) ?? true,
      failoverTimeMillis: readCount(entry, ENTRY.failoverTimeMillis) ?? DEFAULT_FAILOVER_TIME_MILLIS,
      ...(readFlag(entry, ENTRY.covers) && { covers: true }),
      ...(earlyDeaths !== undefined && { earlyDeaths }),
      ...(leases !== undefined && { leases }),
    };
  } catch (error) {
    if (error instanceof RowError) throw new RowError(`member ${shown(workerId)}: ${error.message}`);
    throw error;
  }
}

/** Assignments that cannot be decoded count as absent: the leader rewrites all of them. */
function decodeAssignments(item: Item): readonly Assignment[] {
  const entries = readable(() => readMap(item, FLEET_ATTRIBUTES.assignments)) ?? {};
  return Object.keys(entries)
    .toSorted()
    .flatMap((leaseKey) => {
      const entry = readable(() => readMap(entries, leaseKey)) ?? {};
      const worker = readable(() => readText(entry, ASSIGNMENT.worker));
      const to = readable(() => readText(entry, ASSIGNMENT.to));
      const counter = readable(() => readCount(entry, ASSIGNMENT.counter));
      const owner = readable(() => readText(entry, ASSIGNMENT.owner));
      const isWhole = worker !== undefined && to !== undefined;
      const seen = { ...(counter !== undefined && { counter }), ...(owner !== undefined && { owner }) };
      return isWhole ? [{ leaseKey, worker, to, ...seen }] : [];
    });
}

function decodeSize(item: Item): FleetSize | undefined {
  const entry = readable(() => readMap(item, FLEET_ATTRIBUTES.size)) ?? {};
  const workers = readable(() => readCount(entry, SIZE.workers));
  const shards = readable(() => readCount(entry, SIZE.shards));
  return workers === undefined || shards === undefined ? undefined : { workers, shards };
}

function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RowError) return undefined;
    throw error;
  }
}

export const fleetKey = (fleetRow: number): Record<string, AttributeValue> => ({
  [LEASE_KEY]: { S: fleetRowKey(fleetRow) },
});

/** The parts of an UpdateItem that differ; the store adds the table, the key and the return values. */
export interface Expressions {
  readonly ConditionExpression: string;
  readonly UpdateExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Record<string, AttributeValue>;
}

const MEMBERS = { "#members": FLEET_ATTRIBUTES.members };
const VERSION = { "#generation": FLEET_ATTRIBUTES.version };
const INCARNATION = { "#incarnation": ENTRY.incarnation };

/**
 * Only fleet row 0 has the fleet version. There it moves in the same write; for other rows the store
 * increments it in a second write.
 */
function bumping(fleetRow: number, bump: boolean) {
  const here = bump && fleetRow === 0;
  return {
    add: here ? " ADD #generation :one" : "",
    names: here ? VERSION : {},
    values: here ? { ":one": { N: "1" } } : {},
  };
}

/**
 * For every join and heartbeat: the increment of the fleet version, and the KCL attributes that make the row
 * look like a live lease.
 */
function keepingKclAttributes(fleetRow: number, bump: boolean) {
  const bumped = bumping(fleetRow, bump);
  const kcl = movingKclAttributes();
  return {
    set: `, ${kcl.set}`,
    add: `${bumped.add === "" ? " ADD" : `${bumped.add},`} ${kcl.add}`,
    names: { ...bumped.names, ...kcl.names },
    values: { ...bumped.values, ...kcl.values },
  };
}

/** Condition: the row exists, and has room or an entry of this worker id to replace. */
export function joinExpressions(fleetRow: number, member: Member, membersPerRow: number): Expressions {
  const { set, add, names, values } = keepingKclAttributes(fleetRow, true);
  const hasRoom = "size(#members) < :room";
  const isThere = "attribute_exists(#members.#id)";
  return {
    ConditionExpression: `attribute_exists(#members) AND (${hasRoom} OR ${isThere})`,
    UpdateExpression: `SET #members.#id = :entry${set}${add}`,
    ExpressionAttributeNames: { ...MEMBERS, "#id": member.workerId, ...names },
    ExpressionAttributeValues: {
      ":entry": encodeMember(member),
      ":room": { N: String(membersPerRow) },
      ...values,
    },
  };
}

/**
 * Condition: the row does not exist, or has no members because another program's wake-up request created it.
 * Creates it with this one member.
 */
export function firstJoinExpressions(fleetRow: number, member: Member): Expressions {
  const { set, add, names, values } = keepingKclAttributes(fleetRow, true);
  return {
    ConditionExpression: "attribute_not_exists(#members)",
    UpdateExpression: `SET #members = :members${set}${add}`,
    ExpressionAttributeNames: { ...MEMBERS, ...names },
    ExpressionAttributeValues: {
      ":members": { M: { [member.workerId]: encodeMember(member) } },
      ...values,
    },
  };
}

/**
 * A dead entry stays dead: its leases are being reassigned. The process must join again as a new incarnation.
 * A write that arrives late does not lower the heartbeat: a worker that missed the value in between would
 * take it for one that has not moved.
 */
export function heartbeatExpressions(fleetRow: number, member: Member, bump: boolean): Expressions {
  const { set, add, names, values } = keepingKclAttributes(fleetRow, bump);
  return {
    ConditionExpression:
      "#members.#id.#incarnation = :incarnation AND #members.#id.#state <> :dead AND #members.#id.#heartbeat <= :heartbeat",
    UpdateExpression: `SET #members.#id = :entry${set}${add}`,
    ExpressionAttributeNames: {
      ...MEMBERS,
      ...INCARNATION,
      "#id": member.workerId,
      "#heartbeat": ENTRY.heartbeat,
      "#state": ENTRY.state,
      ...names,
    },
    ExpressionAttributeValues: {
      ":entry": encodeMember(member),
      ":heartbeat": { N: String(member.heartbeat) },
      ":incarnation": { S: member.incarnation },
      ":dead": { S: DEAD_LETTER },
      ...values,
    },
  };
}

/**
 * Two workers may both mark a member dead. The second finds the heartbeat as seen and changes only the fleet
 * version.
 */
export function markDeadExpressions(fleetRow: number, seen: Member): Expressions {
  const { add, names, values } = bumping(fleetRow, true);
  return {
    ConditionExpression: "#members.#id.#incarnation = :incarnation AND #members.#id.#heartbeat = :heartbeat",
    UpdateExpression: `SET #members.#id.#state = :dead${add}`,
    ExpressionAttributeNames: {
      ...MEMBERS,
      ...INCARNATION,
      "#id": seen.workerId,
      "#heartbeat": ENTRY.heartbeat,
      "#state": ENTRY.state,
      ...names,
    },
    ExpressionAttributeValues: {
      ":incarnation": { S: seen.incarnation },
      ":heartbeat": { N: String(seen.heartbeat) },
      ":dead": { S: DEAD_LETTER },
      ...values,
    },
  };
}

export function leaveExpressions(fleetRow: number, member: Member): Expressions {
  const { add, names, values } = bumping(fleetRow, true);
  return {
    ConditionExpression: "#members.#id.#incarnation = :incarnation",
    UpdateExpression: `REMOVE #members.#id${add}`,
    ExpressionAttributeNames: { ...MEMBERS, ...INCARNATION, "#id": member.workerId, ...names },
    ExpressionAttributeValues: { ":incarnation": { S: member.incarnation }, ...values },
  };
}

export function assignExpressions(
  assignments: readonly Assignment[],
  size: FleetSize | undefined,
): Expressions {
  const entries = assignments.map(({ leaseKey, worker, to, counter, owner }): [string, AttributeValue] => [
    leaseKey,
    {
      M: {
        [ASSIGNMENT.worker]: { S: worker },
        [ASSIGNMENT.to]: { S: to },
        ...(counter !== undefined && { [ASSIGNMENT.counter]: { N: String(counter) } }),
        ...(owner !== undefined && { [ASSIGNMENT.owner]: { S: owner } }),
      },
    },
  ]);
  const sized = size && {
    M: { [SIZE.workers]: { N: String(size.workers) }, [SIZE.shards]: { N: String(size.shards) } },
  };
  return {
    ConditionExpression: "attribute_exists(#members)",
    UpdateExpression: `SET #assignments = :assignments${sized ? ", #size = :size" : " REMOVE #size"}`,
    ExpressionAttributeNames: {
      ...MEMBERS,
      "#assignments": FLEET_ATTRIBUTES.assignments,
      "#size": FLEET_ATTRIBUTES.size,
    },
    ExpressionAttributeValues: {
      ":assignments": { M: Object.fromEntries(entries) },
      ...(sized && { ":size": sized }),
    },
  };
}

/** Only if fleet row 0 exists: without it there is no worker to wake. */
export function bumpExpressions(): Expressions {
  return {
    ConditionExpression: "attribute_exists(#leaseKey)",
    UpdateExpression: "ADD #generation :one",
    ExpressionAttributeNames: { ...VERSION, "#leaseKey": LEASE_KEY },
    ExpressionAttributeValues: { ":one": { N: "1" } },
  };
}
