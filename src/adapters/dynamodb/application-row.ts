/**
 * The application's own row in the lease table, `evenkeel-application` (`core/application.ts` explains its
 * content). It stays when the fleet stops. For Java KCL it is a finished lease (`kcl-attributes.ts`).
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { Application } from "../../core/application.ts";
import { AT_TIMESTAMP, LATEST, TRIM_HORIZON } from "../../core/lease.ts";
import type { LeaseStore } from "../../ports/lease-store.ts";
import { StoreUnavailableError, StoreUnusableError } from "../../ports/lease-store.ts";
import { type Item, LEASE_KEY, RowError, readCount, readFlag, readText, required } from "./attributes.ts";
import { kclAttributes } from "./kcl-attributes.ts";
import { OWN_ROW_PREFIX } from "./own-rows.ts";
import { isConditionFailure, storeErrorOf } from "./store-errors.ts";

export const APPLICATION_ROW_KEY = `${OWN_ROW_PREFIX}application`;

const NAMES = {
  initialPosition: "initialPosition",
  startMillis: "startMillis",
  streamArn: "streamArn",
  streamCreatedMillis: "streamCreatedMillis",
  newestShardId: "newestShardId",
  isNotedLate: "isNotedLate",
  isClearing: "isClearing",
} as const;

const KEY = { [LEASE_KEY]: { S: APPLICATION_ROW_KEY } };
const POSITIONS: readonly Application["initialPosition"][] = [TRIM_HORIZON, LATEST, AT_TIMESTAMP];

export function encodeApplication(application: Application): Record<string, AttributeValue> {
  const { stream, startMillis } = application;
  return {
    ...KEY,
    ...kclAttributes(),
    [NAMES.initialPosition]: { S: application.initialPosition },
    ...(startMillis !== undefined && { [NAMES.startMillis]: { N: String(Math.round(startMillis)) } }),
    ...(stream !== undefined && {
      [NAMES.streamArn]: { S: stream.arn },
      [NAMES.streamCreatedMillis]: { N: String(Math.round(stream.createdMillis)) },
    }),
    ...(application.newestShardId !== undefined && {
      [NAMES.newestShardId]: { S: application.newestShardId },
    }),
    ...(application.isNotedLate && { [NAMES.isNotedLate]: { BOOL: true } }),
    ...(application.isClearing && { [NAMES.isClearing]: { BOOL: true } }),
  };
}

/** @throws RowError */
export function decodeApplication(item: Item): Application {
  const position = required(readText(item, NAMES.initialPosition), NAMES.initialPosition);
  const initialPosition = POSITIONS.find((known) => known === position);
  if (initialPosition === undefined)
    throw new RowError(`${NAMES.initialPosition} is "${position}", expected ${POSITIONS.join(", ")}`);
  const startMillis = readCount(item, NAMES.startMillis);
  if (initialPosition !== TRIM_HORIZON) required(startMillis, NAMES.startMillis);
  const arn = readText(item, NAMES.streamArn);
  const createdMillis = readCount(item, NAMES.streamCreatedMillis);
  return {
    initialPosition,
    startMillis,
    stream: arn === undefined || createdMillis === undefined ? undefined : { arn, createdMillis },
    newestShardId: readText(item, NAMES.newestShardId),
    isNotedLate: readFlag(item, NAMES.isNotedLate) ?? false,
    isClearing: readFlag(item, NAMES.isClearing) ?? false,
  };
}

export function dynamoDbApplication(
  client: DynamoDBClient,
  tableName: string,
): Pick<LeaseStore, "readApplication" | "createApplication" | "replaceApplication"> {
  const decoded = (item: Item): Application => {
    try {
      return decodeApplication(item);
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      throw new StoreUnusableError(
        `row ${APPLICATION_ROW_KEY} of lease table ${tableName} cannot be read: ${error.message}; repair it, or delete it to have the application begin anew`,
        { cause: error, errorClass: "invalid" },
      );
    }
  };

  async function readApplication(): Promise<Application | undefined> {
    let item: Item | undefined;
    try {
      ({ Item: item } = await client.send(
        new GetItemCommand({ TableName: tableName, Key: KEY, ConsistentRead: true }),
      ));
    } catch (error) {
      throw storeErrorOf(error, "GetItem", tableName);
    }
    return item && decoded(item);
  }

  return {
    readApplication,

    async createApplication(application) {
      try {
        await client.send(
          new PutItemCommand({
            TableName: tableName,
            Item: encodeApplication(application),
            ConditionExpression: `attribute_not_exists(${LEASE_KEY})`,
          }),
        );
        return application;
      } catch (error) {
        if (!isConditionFailure(error)) throw storeErrorOf(error, "PutItem", tableName);
      }
      // The row is another worker's, or this worker's own after a lost answer. The first one created is
      // valid.
      const standing = await readApplication();
      if (standing !== undefined) return standing;
      throw new StoreUnavailableError(
        `row ${APPLICATION_ROW_KEY} of lease table ${tableName} keeps changing`,
      );
    },

    async replaceApplication(seen, next) {
      const { stream } = seen;
      const created = { ":created": { N: String(Math.round(stream?.createdMillis ?? 0)) } };
      try {
        await client.send(
          new PutItemCommand({
            TableName: tableName,
            Item: encodeApplication(next),
            ConditionExpression:
              stream === undefined
                ? `attribute_not_exists(${NAMES.streamCreatedMillis})`
                : `${NAMES.streamCreatedMillis} = :created`,
            ...(stream !== undefined && { ExpressionAttributeValues: created }),
          }),
        );
        return "replaced";
      } catch (error) {
        if (isConditionFailure(error)) return "changed";
        throw storeErrorOf(error, "PutItem", tableName);
      }
    },
  };
}
