/** The messages between the campaign and its worker processes over the IPC channel. */
export interface ConsumerInput {
  readonly workerId: string;
  /** Also the lease table's name. */
  readonly applicationName: string;
  readonly streamName: string;
  readonly failoverTimeMillis: number;
  readonly shardSyncIntervalMillis: number;
  readonly checkpointIntervalMillis: number;
  readonly idleTimeBetweenReadsMillis: number;
  readonly stopBudgetMillis: number;
  readonly historyDirectory: string;
  /** Warnings and errors of the engine, one JSON object per line. */
  readonly logFile: string;
}

/** How the handler behaves from now on. A record counts as processed when the handler has finished it. */
export type Conduct =
  | { readonly kind: "works" }
  /** Every call throws, as when the downstream fails. */
  | { readonly kind: "fails" }
  | { readonly kind: "slow"; readonly millis: number }
  /** Blocks the event loop for this long, in each of the next `times` calls; after that it works. */
  | { readonly kind: "blocks"; readonly millis: number; readonly times: number }
  /** A call does not return, whatever its signal says, until the conduct changes. */
  | { readonly kind: "hangs" };

export type ToConsumer =
  | { readonly type: "conduct"; readonly conduct: Conduct }
  | { readonly type: "sample"; readonly id: number };

export interface Resources {
  readonly rssBytes: number;
  /** After a garbage collection. */
  readonly heapBytes: number;
  readonly openFiles: number;
  /** Active resources of the event loop by kind: `TCPSocketWrap`, `Timeout`, … */
  readonly active: Readonly<Record<string, number>>;
}

export type FromConsumer =
  | { readonly type: "joined" }
  /** The handler has begun to block the event loop. */
  | { readonly type: "blocking" }
  | { readonly type: "sample"; readonly id: number; readonly resources: Resources };

/** A line of a worker's log file. */
export interface LogLine {
  readonly t: number;
  readonly worker: string;
  readonly level: "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}
