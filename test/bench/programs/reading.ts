/** What floor and engine share: their input, and how they are measured. */
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { ServerReady } from "./server.ts";

export interface ReadInput extends ServerReady {
  readonly records: number;
  readonly table: string;
}

export interface ReadMeasured {
  /** User and system time from the first call to the last record. */
  readonly cpuMicros: number;
  readonly peakMebibytes: number;
}

export const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };
export const REGION = "us-east-1";

export const readInput = (): ReadInput => JSON.parse(process.argv[2]!) as ReadInput;

/** HTTP/1.1, like the engine's own client: kinesalite speaks nothing else. */
export const kinesisClient = (endpoint: string): KinesisClient =>
  new KinesisClient({
    endpoint,
    region: REGION,
    credentials: CREDENTIALS,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(),
  });

export function startMeasuring(): () => ReadMeasured {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { cpuMicros: user + system, peakMebibytes: process.resourceUsage().maxRSS / 1024 };
  };
}

export const tell = (measured: ReadMeasured): void => void process.send!(measured, () => process.exit(0));
