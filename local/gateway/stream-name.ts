/**
 * The stream that a Kinesis request names. Read from the raw body without parsing all of it, because a
 * PutRecords body is megabytes. Supports the JSON protocol and both CBOR protocols.
 */
export function streamNameIn(body: Buffer): string | undefined {
  const isJson = body[0] === 0x7b;
  const name = isJson ? jsonText(body, "StreamName") : cborText(body, "StreamName");
  if (name !== undefined) return name;
  const arn = isJson ? jsonText(body, "StreamARN") : cborText(body, "StreamARN");
  return arn?.split(":stream/")[1]?.split("/")[0];
}

/** The table, stream or metric namespace that a call names. Undefined: it names none. */
export function resourceIn(body: Buffer): string | undefined {
  const text = body[0] === 0x7b ? jsonText : cborText;
  return text(body, "TableName") ?? streamNameIn(body) ?? text(body, "Namespace");
}

/**
 * Stream names and ARNs contain no character that JSON escapes, and a quote inside another value would be
 * escaped.
 */
function jsonText(body: Buffer, key: string): string | undefined {
  const at = body.indexOf(`"${key}"`);
  if (at < 0) return undefined;
  return /^"\w+"\s*:\s*"([^"\\]+)"/.exec(body.toString("latin1", at, at + 600))?.[1];
}

/** A CBOR text string is its length (in the low 5 bits, or in the next byte) and its bytes. */
function cborText(body: Buffer, key: string): string | undefined {
  const marker = Buffer.concat([Buffer.from([0x60 + key.length]), Buffer.from(key)]);
  const at = body.indexOf(marker);
  if (at < 0) return undefined;
  const start = at + marker.length;
  const first = body[start];
  if (first === undefined) return undefined;
  if (first >= 0x60 && first <= 0x77) return body.toString("latin1", start + 1, start + 1 + first - 0x60);
  const length = body[start + 1];
  if (first === 0x78 && length !== undefined) return body.toString("latin1", start + 2, start + 2 + length);
  return undefined;
}
