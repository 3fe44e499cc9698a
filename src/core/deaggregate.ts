/**
 * KPL de-aggregation. The Kinesis Producer Library packs many user records into one Kinesis record. This
 * turns it back into those user records, each with the sequence number of the aggregate and its own
 * sub-sequence number.
 *
 * Layout: magic F3 89 9A C2 · protobuf AggregatedRecord · MD5 of that protobuf (16 bytes).
 *
 *   AggregatedRecord { 1: partition key table*, 2: explicit hash key table*, 3: Record* }
 *   Record           { 1: partition key index, 2: explicit hash key index?, 3: data, 4: tags* (ignored) }
 *
 * A record that does not follow this layout exactly is a plain record that happens to begin with the magic
 * bytes. It is passed on unchanged: no record is dropped, and nothing throws.
 *
 * One Kinesis record of 1 MiB may hold 170,000 user records of a few bytes, which take 50 MB as objects. So
 * an aggregate is checked as a whole, and its user records are created a few at a time (`Expansion`).
 *
 * If Node has no MD5 (FIPS mode), the layout alone decides. The checksum is not a security measure, and bytes
 * that follow the layout exactly are an aggregate in practice. Passing whole aggregates to the handler would
 * break every stream that a KPL producer writes.
 */
import { type Md5, md5 } from "./md5.ts";
import type { ConsumerRecord } from "./record.ts";

const MAGIC_LENGTH = 4;
const DIGEST_LENGTH = 16;

export interface DeaggregateOptions {
  /**
   * Whether a user record of an aggregate is passed on. Default: all are. It is not called for plain records.
   */
  readonly keeps?: ((record: ConsumerRecord) => boolean) | undefined;
  /** Default: Node's. */
  readonly digest?: Md5;
}

/**
 * Expands the aggregates among `records`, in order. A plain record is returned as it is, and costs one byte
 * compare.
 */
export function deaggregate(
  records: readonly ConsumerRecord[],
  options: DeaggregateOptions = {},
): readonly ConsumerRecord[] {
  return new Expansion(records, options).next(Number.POSITIVE_INFINITY);
}

/** The records of one read, expanded piece by piece. */
export class Expansion {
  readonly #records: readonly ConsumerRecord[];
  readonly #keeps: (record: ConsumerRecord) => boolean;
  readonly #digest: Md5;
  /** The index of the next record. */
  #index = 0;
  /** The opened aggregate of the next record, and the index of its next user record. */
  #aggregate: Aggregate | undefined;
  #userIndex = 0;

  constructor(
    records: readonly ConsumerRecord[],
    { keeps = () => true, digest = md5 }: DeaggregateOptions = {},
  ) {
    this.#records = records;
    this.#keeps = keeps;
    this.#digest = digest;
  }

  get isOver(): boolean {
    return this.#index >= this.#records.length;
  }

  /** At most `most` further records. Fewer, or none, where `keeps` drops some. */
  next(most: number): readonly ConsumerRecord[] {
    if (this.#index === 0 && this.#records.length <= most && !this.#records.some(mayBeAggregate)) {
      this.#index = this.#records.length;
      return this.#records;
    }
    const expanded: ConsumerRecord[] = [];
    for (let left = most; left > 0 && !this.isOver; left -= 1) {
      const record = this.#nextOne();
      if (record !== undefined) expanded.push(record);
    }
    return expanded;
  }

  /** Undefined: a user record that is dropped. */
  #nextOne(): ConsumerRecord | undefined {
    const record = this.#records[this.#index]!;
    if (this.#userIndex === 0)
      this.#aggregate = mayBeAggregate(record) ? aggregateIn(record, this.#digest) : undefined;
    const aggregate = this.#aggregate;
    if (aggregate === undefined) {
      this.#index += 1;
      return record;
    }
    const user = aggregate.user(this.#userIndex);
    this.#userIndex += 1;
    if (this.#userIndex === aggregate.count) {
      this.#userIndex = 0;
      this.#index += 1;
    }
    return this.#keeps(user) ? user : undefined;
  }
}

const mayBeAggregate = ({ data }: ConsumerRecord): boolean => data[0] === 0xf3;

interface Aggregate {
  readonly count: number;
  user(index: number): ConsumerRecord;
}

/** Undefined: the record is not a well-formed aggregate with at least one user record. */
function aggregateIn(record: ConsumerRecord, digest: Md5): Aggregate | undefined {
  const { data, sequenceNumber, approximateArrivalTimestamp } = record;
  if (data[1] !== 0x89 || data[2] !== 0x9a || data[3] !== 0xc2) return undefined;
  const digestStart = data.length - DIGEST_LENGTH;
  if (digestStart <= MAGIC_LENGTH) return undefined;
  const body = data.subarray(MAGIC_LENGTH, digestStart);
  const actual = digest(body);
  if (actual !== undefined && Buffer.compare(actual, data.subarray(digestStart)) !== 0) return undefined;
  const users = parseAggregate(body);
  if (users === undefined) return undefined;
  return {
    count: users.count,
    user: (subSequenceNumber) => ({
      ...users.user(subSequenceNumber),
      sequenceNumber,
      subSequenceNumber,
      approximateArrivalTimestamp,
    }),
  };
}

interface UserRecord {
  readonly data: Uint8Array;
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
}

const keyDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface UserRecords {
  readonly count: number;
  user(index: number): UserRecord;
}

/**
 * Undefined: malformed, or without a user record. Every user record is checked, but only its position is
 * kept.
 */
function parseAggregate(body: Uint8Array): UserRecords | undefined {
  const partitionKeys: string[] = [];
  const hashKeys: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let maxPartitionKey = -1;
  let maxHashKey = -1;
  const message = new Fields(body, 0, body.length);
  const record = new RecordFields(body);
  while (message.next()) {
    const { field, isBytes, start, end } = message;
    if (field === 1 || field === 2) {
      const key = isBytes ? decodeKey(body.subarray(start, end)) : undefined;
      if (key === undefined) return undefined;
      (field === 1 ? partitionKeys : hashKeys).push(key);
    } else if (field === 3) {
      if (!isBytes || !record.parse(start, end)) return undefined;
      maxPartitionKey = Math.max(maxPartitionKey, record.partitionKeyIndex);
      maxHashKey = Math.max(maxHashKey, record.explicitHashKeyIndex);
      starts.push(start);
      ends.push(end);
    }
  }
  // The keys may follow the records, so the indexes can be checked only at the end.
  const haveKeys = maxPartitionKey < partitionKeys.length && maxHashKey < hashKeys.length;
  if (message.isMalformed || !haveKeys || starts.length === 0) return undefined;
  return {
    count: starts.length,
    user: (index) => {
      record.parse(starts[index]!, ends[index]!);
      const data = body.subarray(record.dataStart, record.dataEnd);
      const partitionKey = partitionKeys[record.partitionKeyIndex]!;
      const explicitHashKey = hashKeys[record.explicitHashKeyIndex];
      return explicitHashKey === undefined ? { data, partitionKey } : { data, partitionKey, explicitHashKey };
    },
  };
}

/**
 * Parses the fields of one user record in place. One object per user record would cost more than the record.
 */
class RecordFields {
  /** -1: none. */
  partitionKeyIndex = -1;
  explicitHashKeyIndex = -1;
  dataStart = -1;
  dataEnd = -1;
  readonly #fields: Fields;

  constructor(body: Uint8Array) {
    this.#fields = new Fields(body, 0, 0);
  }

  /** False: malformed, or without a partition key or data. */
  parse(from: number, to: number): boolean {
    const fields = this.#fields;
    fields.reset(from, to);
    this.partitionKeyIndex = this.explicitHashKeyIndex = this.dataStart = this.dataEnd = -1;
    while (fields.next()) {
      const { field, isBytes } = fields;
      if (field === 1 || field === 2) {
        if (isBytes) return false;
        if (field === 1) this.partitionKeyIndex = fields.number;
        else this.explicitHashKeyIndex = fields.number;
      } else if (field === 3) {
        if (!isBytes) return false;
        this.dataStart = fields.start;
        this.dataEnd = fields.end;
      }
    }
    return !fields.isMalformed && this.partitionKeyIndex >= 0 && this.dataStart >= 0;
  }
}

function decodeKey(bytes: Uint8Array): string | undefined {
  try {
    return keyDecoder.decode(bytes);
  } catch {
    return undefined; // not UTF-8: no partition key, so this is not an aggregate
  }
}

/** Reads the fields of a protobuf message, in place. */
class Fields {
  /** The message is cut off, or uses a wire type that does not exist. */
  isMalformed = false;
  field = 0;
  /** True: the value is the bytes from `start` to `end`. False: it is `number`. */
  isBytes = false;
  number = 0;
  start = 0;
  end = 0;
  readonly #bytes: Uint8Array;
  #offset: number;
  #limit: number;

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.#bytes = bytes;
    this.#offset = from;
    this.#limit = to;
  }

  reset(from: number, to: number): void {
    this.#offset = from;
    this.#limit = to;
    this.isMalformed = false;
  }

  /** False: there is no further field, or it is malformed. */
  next(): boolean {
    if (this.#offset >= this.#limit) return false;
    const tag = this.#varint();
    const wireType = tag % 8;
    this.field = Math.floor(tag / 8);
    this.isBytes = wireType !== 0;
    let isWell = this.field >= 1;
    if (wireType === 0) {
      this.number = this.#varint();
      isWell &&= !Number.isNaN(this.number);
    } else {
      const size = wireType === 2 ? this.#varint() : wireType === 1 ? 8 : wireType === 5 ? 4 : Number.NaN;
      isWell &&= size <= this.#limit - this.#offset;
      this.start = this.#offset;
      this.end = this.#offset + size;
      this.#offset = this.end;
    }
    this.isMalformed = !isWell;
    return isWell;
  }

  /**
   * NaN if it is cut off or longer than the ten bytes of 64 bits. Exact up to 2^53, far above any length or
   * index.
   */
  #varint(): number {
    let value = 0;
    let factor = 1;
    for (let length = 0; length < 10 && this.#offset < this.#limit; length += 1) {
      const byte = this.#bytes[this.#offset]!;
      this.#offset += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    return Number.NaN;
  }
}
