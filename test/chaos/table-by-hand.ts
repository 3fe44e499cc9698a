/** What an operator may do by hand to the rows of a lease table, with plain DynamoDB calls. */
import {
  type AttributeValue,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { FLEET_ATTRIBUTES, fleetRowKey } from "../../src/adapters/dynamodb/own-rows.ts";

type Item = Record<string, AttributeValue>;

export class TableByHand {
  readonly #client: DynamoDBClient;
  readonly #tableName: string;

  constructor(client: DynamoDBClient, tableName: string) {
    this.#client = client;
    this.#tableName = tableName;
  }

  async deleteRow(leaseKey: string): Promise<void> {
    await this.#client.send(new DeleteItemCommand({ TableName: this.#tableName, Key: key(leaseKey) }));
  }

  async read(leaseKey: string): Promise<Item> {
    const get = new GetItemCommand({ TableName: this.#tableName, Key: key(leaseKey), ConsistentRead: true });
    const { Item } = await this.#client.send(get);
    if (Item === undefined) throw new Error(`${this.#tableName} has no row ${leaseKey}`);
    return Item;
  }

  async write(row: Item): Promise<void> {
    await this.#client.send(new PutItemCommand({ TableName: this.#tableName, Item: row }));
  }

  /** Sets one attribute, by a path such as `leaseOwner` or `members.w1`. */
  async set(leaseKey: string, path: readonly string[], value: AttributeValue): Promise<void> {
    await this.#update(leaseKey, path, "SET", value);
  }

  async remove(leaseKey: string, path: readonly string[]): Promise<void> {
    await this.#update(leaseKey, path, "REMOVE");
  }

  readonly fleetRow = fleetRowKey(0);

  deleteMember(workerId: string): Promise<void> {
    return this.remove(this.fleetRow, [FLEET_ATTRIBUTES.members, workerId]);
  }

  garbleMember(workerId: string): Promise<void> {
    return this.set(this.fleetRow, [FLEET_ATTRIBUTES.members, workerId], { S: "garbled" });
  }

  setFleetVersionBack(): Promise<void> {
    return this.set(this.fleetRow, [FLEET_ATTRIBUTES.version], { N: "1" });
  }

  async #update(
    leaseKey: string,
    path: readonly string[],
    verb: "SET" | "REMOVE",
    value?: AttributeValue,
  ): Promise<void> {
    const names = Object.fromEntries(path.map((name, i) => [`#p${i}`, name]));
    const target = Object.keys(names).join(".");
    await this.#client.send(
      new UpdateItemCommand({
        TableName: this.#tableName,
        Key: key(leaseKey),
        UpdateExpression: value === undefined ? `${verb} ${target}` : `${verb} ${target} = :value`,
        // A mistake in the key must not create a row.
        ConditionExpression: "attribute_exists(leaseKey)",
        ExpressionAttributeNames: names,
        ...(value !== undefined && { ExpressionAttributeValues: { ":value": value } }),
      }),
    );
  }
}

const key = (leaseKey: string): Item => ({ leaseKey: { S: leaseKey } });
