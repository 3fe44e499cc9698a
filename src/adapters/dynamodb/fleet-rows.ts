/**
 * The fleet's pages: `{leaseKey: "evenkeel-fleet-<page>", entityType, generation, shardSyncRequests, members}`,
 * with `members` a map from worker id to an entry of one-letter attributes. A page of 12 members stays below 1 KB,
 * so that a heartbeat costs one write unit and a look half a read unit. Where the leader of a very large fleet assigns,
 * `assignments` is a map from lease key to what is wanted, and the page is larger while leases move.
 *
 * Every join and beat also writes what makes Java KCL live with the row, and moves its counter (`disguise.ts`).
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
/** Written in the one way that `fleetRowKey` writes it, and far above the pages of any fleet: 12 members are on each. */
const ROW = /^(0|[1-9]\d{0,5})$/;

/** One letter each: an attribute's name is paid for in every entry. */
const ENTRY = {
  incarnation: "i",
  heartbeat: "h",
  state: "s",
  /** Absent: no cap. */
  maxLeases: "m",
  /** Absent: it does, as most do. */
  steals: "t",
  /** Absent: KCL's default, as most have. */
  failoverTimeMillis: "f",
  /** Absent: it does not, as most do not. */
  covers: "b",
  /** Absent: it is not young any more, as most are not. */
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

/** Throws `RowError` for a page that cannot be read. A page woken into being by an outsider has no members yet. */
export function decodeFleetRow(item: Item): FleetRow {
  const leaseKey = required(readText(item, LEASE_KEY), LEASE_KEY);
  const fleetRow = FLEET_KEY.exec(leaseKey)?.[1];
  if (fleetRow === undefined || !ROW.test(fleetRow))
    throw new RowError(`${LEASE_KEY} is "${shown(leaseKey)}", expected evenkeel-fleet-<number>`);
  const entries = readMap(item, FLEET_ATTRIBUTES.members) ?? {};
  const members: Member[] = [];
  const unreadable: string[] = [];
  // In the order of their ids: a map's order means nothing, and plans are made from this.
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

/** Of a page that cannot be read: what of it is in a wrong form. */
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

/** What of it cannot be read counts as absent: the leader writes all of it anew. */
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

/** The parts of an UpdateItem that decide it; the store adds table, key and what to return. */
export interface Expressions {
  readonly ConditionExpression: string;
  readonly UpdateExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Record<string, AttributeValue>;
}

const MEMBERS = { "#members": FLEET_ATTRIBUTES.members };
const VERSION = { "#generation": FLEET_ATTRIBUTES.version };
const INCARNATION = { "#incarnation": ENTRY.incarnation };

/** The generation lives on page 0 only; there it moves in the same write, elsewhere the store bumps it after. */
function bumping(fleetRow: number, bump: boolean) {
  const here = bump && fleetRow === 0;
  return {
    add: here ? " ADD #generation :one" : "",
    names: here ? VERSION : {},
    values: here ? { ":one": { N: "1" } } : {},
  };
}

/** With every join and beat: what makes a page pass for a lease that is alive, beside the bump. */
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

/** The page exists, and has room or an entry of this name to replace. */
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

/** The page is not there (or an outsider's wake-up made it without members): make it, with this one member. */
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
 * A dead entry stays dead: its leases are being given away. The process must join again as a new incarnation.
 * A write that arrives late does not lower the heartbeat: a worker that missed the value between would see it stand still.
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

/** Two watchers may both declare: the second finds the heartbeat as seen and changes nothing but the generation. */
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

/** Only an existing page 0: without one there is nobody to wake. */
export function bumpExpressions(): Expressions {
  return {
    ConditionExpression: "attribute_exists(#leaseKey)",
    UpdateExpression: "ADD #generation :one",
    ExpressionAttributeNames: { ...VERSION, "#leaseKey": LEASE_KEY },
    ExpressionAttributeValues: { ":one": { N: "1" } },
  };
}
