/**
 * The fleet as seen in the lease table (KCL's schema): the owner of each lease, and the request that wakes
 * the leader.
 */
import { type AttributeValue, type DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { LEASE_ENTITY_TYPE } from "../../../src/adapters/dynamodb/own-rows.ts";
import { requestShardSync } from "../../../src/adapters/dynamodb/request-shard-sync.ts";
import { type Fleet, type LeaseOwner, TableRefusal } from "../ports.ts";
import { refusing } from "./refusals.ts";

export interface DynamoDbFleetProps {
  readonly client: DynamoDBClient;
  readonly leaseTableName: string;
}

export function dynamoDbFleet({ client, leaseTableName }: DynamoDbFleetProps): Fleet {
  return {
    async leaseOwners() {
      const leases: LeaseOwner[] = [];
      let from: Record<string, AttributeValue> | undefined;
      do {
        const page = await fromTable(
          client.send(
            new ScanCommand({
              TableName: leaseTableName,
              ConsistentRead: true,
              ProjectionExpression: "leaseKey, leaseOwner, entityType",
              ...(from && { ExclusiveStartKey: from }),
            }),
          ),
        );
        if (page.Items === undefined) throw new TableRefusal("unavailable", "Scan answered without items");
        for (const { leaseKey, leaseOwner, entityType } of page.Items) {
          if (leaseKey?.S === undefined || (entityType?.S ?? LEASE_ENTITY_TYPE) !== LEASE_ENTITY_TYPE)
            continue;
          leases.push({ leaseKey: leaseKey.S, owner: leaseOwner?.S });
        }
        from = page.LastEvaluatedKey;
      } while (from !== undefined);
      return leases;
    },
    wake: async () => {
      const outcome = await fromTable(requestShardSync(client, leaseTableName));
      return outcome === "requested" ? "woken" : outcome;
    },
  };
}

const fromTable = <T>(call: Promise<T>) =>
  refusing(call, (problem, message, options) => new TableRefusal(problem, message, options));
