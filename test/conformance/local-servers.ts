/** dynalite and kinesalite in this process, each on a free port of the loopback interface. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import dynalite from "dynalite";
import kinesalite from "kinesalite";
import { endpointClientConfig } from "../../local/index.ts";

export interface LocalServer<Client> {
  readonly url: string;
  readonly client: Client;
  close(): Promise<void>;
}

export async function startDynalite(): Promise<LocalServer<DynamoDBClient>> {
  const server = await listening(dynalite({ createTableMs: 20, deleteTableMs: 0 }));
  const client = new DynamoDBClient(clientSettings(server.url));
  return { ...server, client };
}

export async function startKinesalite(): Promise<LocalServer<KinesisClient>> {
  const server = await listening(
    kinesalite({ createStreamMs: 20, deleteStreamMs: 0, updateStreamMs: 20, shardLimit: 100 }),
  );
  // Kinesis's client speaks HTTP/2 by default.
  const client = new KinesisClient({ ...clientSettings(server.url), requestHandler: new NodeHttpHandler() });
  return { ...server, client };
}

const clientSettings = (url: string) => endpointClientConfig({ url });

async function listening(server: Server): Promise<{ url: string; close(): Promise<void> }> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
