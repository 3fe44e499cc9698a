/** What the run's DynamoDB calls would cost over a month. An estimate: it counts calls, not row sizes. */

/** us-east-1, on demand, 2026: dollars per million request units. */
const DOLLARS_PER_MILLION = { write: 0.625, read: 0.125 };
const MINUTES_PER_MONTH = 730 * 60;

/**
 * Request units per call. Rows are below 1 KB, so a write is one unit. A GetItem is the half-unit poll of the
 * fleet row. A Scan reads about 40 rows, about 20 KB, eventually consistent.
 */
const UNITS: Readonly<Record<string, { readonly kind: "read" | "write"; readonly units: number }>> = {
  "DynamoDB.UpdateItem": { kind: "write", units: 1 },
  "DynamoDB.PutItem": { kind: "write", units: 1 },
  "DynamoDB.DeleteItem": { kind: "write", units: 1 },
  "DynamoDB.TransactWriteItems": { kind: "write", units: 4 },
  "DynamoDB.GetItem": { kind: "read", units: 0.5 },
  "DynamoDB.Query": { kind: "read", units: 0.5 },
  "DynamoDB.Scan": { kind: "read", units: 3 },
};

export type ApiCalls = Readonly<Record<string, number>>;

export interface Cost {
  readonly writeUnitsPerMinute: number;
  readonly readUnitsPerMinute: number;
  readonly dollarsPerMonth: number;
}

/** Undefined when no DynamoDB call was counted, or no time passed. */
export function dynamoDbCost(apiCalls: ApiCalls, durationMillis: number): Cost | undefined {
  const perMinute = { read: 0, write: 0 };
  const minutes = durationMillis / 60_000;
  for (const [operation, count] of Object.entries(apiCalls)) {
    const price = UNITS[operation];
    if (price !== undefined) perMinute[price.kind] += (count * price.units) / minutes;
  }
  if (minutes <= 0 || perMinute.read + perMinute.write === 0) return undefined;
  const dollars = perMinute.write * DOLLARS_PER_MILLION.write + perMinute.read * DOLLARS_PER_MILLION.read;
  return {
    writeUnitsPerMinute: round(perMinute.write),
    readUnitsPerMinute: round(perMinute.read),
    dollarsPerMonth: round((dollars * MINUTES_PER_MONTH) / 1e6),
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;
