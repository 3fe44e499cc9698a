/** Builds KPL aggregates, for tests only: the reverse of the library's parser. */
import { createHash } from "node:crypto";

export interface UserRecord {
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  readonly data: Uint8Array;
  readonly tags?: number;
}

export const MAGIC = [0xf3, 0x89, 0x9a, 0xc2];

export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

export const delimited = (field: number, bytes: Iterable<number>): number[] => {
  const body = [...bytes];
  return [...varint(field * 8 + 2), ...varint(body.length), ...body];
};

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export function protobuf(users: readonly UserRecord[]): number[] {
  const keys = [...new Set(users.map((user) => user.partitionKey))];
  const hashKeys = [...new Set(users.flatMap((user) => user.explicitHashKey ?? []))];
  return [
    ...keys.flatMap((key) => delimited(1, utf8(key))),
    ...hashKeys.flatMap((key) => delimited(2, utf8(key))),
    ...users.flatMap((user) =>
      delimited(3, [
        ...varint(1 * 8),
        ...varint(keys.indexOf(user.partitionKey)),
        ...(user.explicitHashKey === undefined
          ? []
          : [...varint(2 * 8), ...varint(hashKeys.indexOf(user.explicitHashKey))]),
        ...delimited(3, user.data),
        ...Array.from({ length: user.tags ?? 0 }, () => delimited(4, delimited(1, utf8("tag")))).flat(),
      ]),
    ),
  ];
}

/** Magic, body, digest. */
export function sealed(body: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from(body);
  return Uint8Array.from([...MAGIC, ...bytes, ...createHash("md5").update(bytes).digest()]);
}

export const aggregate = (users: readonly UserRecord[]): Uint8Array => sealed(protobuf(users));
