/**
 * KPL de-aggregation: one Kinesis record that the Kinesis Producer Library filled with many user records becomes
 * those user records, each with the aggregate's sequence number and its own sub-sequence number.
 *
 * Layout: magic F3 89 9A C2 · protobuf AggregatedRecord · MD5 of that protobuf (16 bytes).
 *   AggregatedRecord { 1: partition key table*, 2: explicit hash key table*, 3: Record* }
 *   Record           { 1: partition key index, 2: explicit hash key index?, 3: data, 4: tags* (ignored) }
 *
 * Whatever does not follow this to the letter is a plain record that happens to begin with the magic bytes, and is
 * passed on unchanged: nothing is dropped and nothing throws.
 *
 * Where Node has no MD5 (FIPS mode), the layout alone decides. The checksum is not a security measure, and bytes that
 * follow the layout to the letter are an aggregate in practice. Handing whole aggregates to the handler would break
 * every stream that a KPL producer writes.
 */
import { type Md5, md5 } from "./md5.ts";
import type { ConsumerRecord } from "./record.ts";

const MAGIC_LENGTH = 4;
const DIGEST_LENGTH = 16;

export interface DeaggregateOptions {
  /** Whether a user record of an aggregate is passed on. Default: all are. Plain records are not asked about. */
  readonly keeps?: ((record: ConsumerRecord) => boolean) | undefined;
  /** Default: Node's. */
  readonly digest?: Md5;
}

/** Expands the aggregates among `records`, in order. A plain record is passed on itself, and costs one byte compare. */
export function deaggregate(
  records: readonly ConsumerRecord[],
  { keeps = () => true, digest = md5 }: DeaggregateOptions = {},
): readonly ConsumerRecord[] {
  const first = records.findIndex(mayBeAggregate);
  if (first === -1) return records;
  const expanded = records.slice(0, first);
  for (let index = first; index < records.length; index++) {
    const record = records[index]!;
    const users = mayBeAggregate(record) ? userRecords(record, digest) : undefined;
    if (users === undefined) expanded.push(record);
    else for (const user of users) if (keeps(user)) expanded.push(user);
  }
  return expanded;
}

const mayBeAggregate = ({ data }: ConsumerRecord): boolean => data[0] === 0xf3;

/** Undefined: the record is not a well-formed aggregate with at least one user record. */
function userRecords(record: ConsumerRecord, digest: Md5): readonly ConsumerRecord[] | undefined {
  const { data, sequenceNumber, approximateArrivalTimestamp } = record;
  if (data[1] !== 0x89 || data[2] !== 0x9a || data[3] !== 0xc2) return undefined;
  const digestStart = data.length - DIGEST_LENGTH;
  if (digestStart <= MAGIC_LENGTH) return undefined;
  const body = data.subarray(MAGIC_LENGTH, digestStart);
  const actual = digest(body);
  if (actual !== undefined && Buffer.compare(actual, data.subarray(digestStart)) !== 0) return undefined;
  return parseAggregate(body)?.map((user, subSequenceNumber) => ({
    ...user,
    sequenceNumber,
    subSequenceNumber,
    approximateArrivalTimestamp,
  }));
}

interface UserRecord {
  readonly data: Uint8Array;
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
}

interface RecordFields {
  partitionKeyIndex: number | undefined;
  explicitHashKeyIndex: number | undefined;
  data: Uint8Array | undefined;
}

const keyDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined: malformed, or no user record in it. */
function parseAggregate(body: Uint8Array): UserRecord[] | undefined {
  const partitionKeys: string[] = [];
  const hashKeys: string[] = [];
  const fields: RecordFields[] = [];
  const wellFormed = forEachField(body, (field, value) => {
    if (field === 1 || field === 2) {
      const key = value instanceof Uint8Array ? decodeKey(value) : undefined;
      if (key === undefined) return false;
      (field === 1 ? partitionKeys : hashKeys).push(key);
    } else if (field === 3) {
      const parsed = value instanceof Uint8Array ? parseRecord(value) : undefined;
      if (parsed === undefined) return false;
      fields.push(parsed);
    }
    return true;
  });
  if (!wellFormed || fields.length === 0) return undefined;
  const users: UserRecord[] = [];
  for (const { partitionKeyIndex, explicitHashKeyIndex, data } of fields) {
    const partitionKey = partitionKeyIndex === undefined ? undefined : partitionKeys[partitionKeyIndex];
    if (partitionKey === undefined || data === undefined) return undefined;
    if (explicitHashKeyIndex === undefined) {
      users.push({ data, partitionKey });
      continue;
    }
    const explicitHashKey = hashKeys[explicitHashKeyIndex];
    if (explicitHashKey === undefined) return undefined;
    users.push({ data, partitionKey, explicitHashKey });
  }
  return users;
}

function parseRecord(body: Uint8Array): RecordFields | undefined {
  const fields: RecordFields = {
    partitionKeyIndex: undefined,
    explicitHashKeyIndex: undefined,
    data: undefined,
  };
  const wellFormed = forEachField(body, (field, value) => {
    if (field === 1 || field === 2) {
      if (typeof value !== "number") return false;
      if (field === 1) fields.partitionKeyIndex = value;
      else fields.explicitHashKeyIndex = value;
    } else if (field === 3) {
      if (typeof value === "number") return false;
      fields.data = value;
    }
    return true;
  });
  return wellFormed ? fields : undefined;
}

function decodeKey(bytes: Uint8Array): string | undefined {
  try {
    return keyDecoder.decode(bytes);
  } catch {
    return undefined; // not UTF-8: no partition key, so this is not an aggregate
  }
}

/** Walks a protobuf message. False: it is cut off, uses a wire type that does not exist, or `visit` refused a field. */
function forEachField(
  bytes: Uint8Array,
  visit: (field: number, value: number | Uint8Array) => boolean,
): boolean {
  let offset = 0;
  /** A varint; NaN when it is cut off or longer than the ten bytes of 64 bits. Exact to 2^53, far above any length or index. */
  const varint = (): number => {
    let value = 0;
    let factor = 1;
    for (let length = 0; length < 10; length += 1) {
      const byte = bytes[offset];
      if (byte === undefined) return Number.NaN;
      offset += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    return Number.NaN;
  };
  while (offset < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wireType = tag % 8;
    let value: number | Uint8Array;
    if (wireType === 0) {
      value = varint();
      if (Number.isNaN(value)) return false;
    } else {
      const size = wireType === 2 ? varint() : wireType === 1 ? 8 : wireType === 5 ? 4 : Number.NaN;
      if (!(size <= bytes.length - offset)) return false;
      value = bytes.subarray(offset, offset + size);
      offset += size;
    }
    if (!(field >= 1) || !visit(field, value)) return false;
  }
  return true;
}
