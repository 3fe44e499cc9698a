/** The producer on a real stream: passes client, history, clock and randomness to `runProducer`. */
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { randomSuffix, systemClock, systemRandom } from "../../src/platform.ts";
import { type ClosableHistorySink, fileHistory, noHistory, streamHistory } from "./history-sink.ts";
import { kinesisPutBatch } from "./put-batch.ts";
import { type ProducerLog, type ProducerProgress, runProducer } from "./run-producer.ts";
import type { ProducerSettings } from "./settings.ts";

export interface StartProducerOptions extends Omit<ProducerSettings, "logLevel"> {
  readonly log: ProducerLog;
  /** Stops the producer. Waiting records are still sent. */
  readonly signal: AbortSignal;
  /** @default - the SDK's own, from AWS_ENDPOINT_URL and similar settings */
  readonly endpoint?: string;
  /** @default - the SDK's own */
  readonly region?: string;
  readonly onProgress?: (progress: ProducerProgress) => void;
}

/**
 * Puts records until `signal` aborts, then resolves with the totals. The history goes to `historyDirectory`
 * if set, else to standard output if `history` is `"log"`, else nowhere.
 */
export async function startProducer(options: StartProducerOptions): Promise<ProducerProgress> {
  const suffix = randomSuffix();
  const client = new KinesisClient({
    maxAttempts: 1,
    // HTTP/1.1 with kept-alive connections. A slow call fails before the stop budget is spent.
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 1_000,
      requestTimeout: 3_000,
      throwOnRequestTimeout: true, // otherwise the SDK only logs a warning
    }),
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    ...(options.region !== undefined && { region: options.region }),
  });
  const history = historyOf(options, suffix);
  try {
    return await runProducer({
      ...options,
      putBatch: kinesisPutBatch({ client, streamName: options.streamName }),
      keyPrefix: suffix,
      history,
      clock: systemClock,
      random: systemRandom,
    });
  } finally {
    await history.close();
    client.destroy();
  }
}

function historyOf({ historyDirectory, history }: StartProducerOptions, suffix: string): ClosableHistorySink {
  if (historyDirectory !== undefined) return fileHistory(historyDirectory, suffix);
  return history === "log" ? streamHistory(process.stdout) : noHistory;
}
