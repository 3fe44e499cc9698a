/** What the campaign and its worker processes say to each other over the IPC channel. */
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
  /** Warnings and errors of the engine, one JSON object a line. */
  readonly logFile: string;
}

/** How the handler behaves from now on. A record counts as processed when the handler is done with it. */
export type Conduct =
  | { readonly kind: "works" }
  /** Every call throws, as with a downstream that is down. */
  | { readonly kind: "fails" }
  | { readonly kind: "slow"; readonly millis: number }
  /** Holds the event loop for so long, in each of the next `times` calls; then it works. */
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
  /** The handler has begun to hold the event loop. */
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
