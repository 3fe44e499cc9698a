/** Asks the fleet to list the shards now: for a program that has resharded the stream and is no member of the fleet. */
import { type DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { FLEET_ATTRIBUTES, fleetRowKey } from "./own-rows.ts";
import { isConditionFailure } from "./store-errors.ts";

/**
 * The leader lists the shards at its next poll instead of after `shardSyncIntervalMillis`. Needs `dynamodb:UpdateItem` on
 * fleet row 0.
 *
 * @returns "no-fleet": there is no fleet row, so no worker is running, and none is needed
 * @throws the SDK's error, for anything but the condition
 */
export async function requestShardSync(
  client: DynamoDBClient,
  tableName: string,
): Promise<"requested" | "no-fleet"> {
  try {
    await client.send(
      new UpdateItemCommand({
        TableName: tableName,
        Key: { leaseKey: { S: fleetRowKey(0) } },
        UpdateExpression: "ADD #requests :one, #version :one",
        // Without a fleet the row must not be created: the first worker would take it for an existing fleet's
        // row.
        ConditionExpression: "attribute_exists(leaseKey)",
        ExpressionAttributeNames: {
          "#requests": FLEET_ATTRIBUTES.shardSyncRequests,
          "#version": FLEET_ATTRIBUTES.version,
        },
        ExpressionAttributeValues: { ":one": { N: "1" } },
      }),
    );
    return "requested";
  } catch (error) {
    if (isConditionFailure(error)) return "no-fleet";
    throw error;
  }
}
