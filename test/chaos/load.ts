/** The records of one row: a producer in this process. */
import { startProducer } from "../../services/producer/start-producer.ts";

export interface LoadOptions {
  readonly streamName: string;
  readonly endpoint: string;
  /** Records a second. */
  readonly rate: number;
  readonly historyDirectory: string;
  readonly signal: AbortSignal;
}

const KEYS = 96;

export class Load {
  readonly #stopping = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor({ signal, ...options }: LoadOptions) {
    this.#ended = startProducer({
      ...options,
      keys: KEYS,
      skew: 0,
      log: { info: () => undefined, warn: () => undefined },
      signal: AbortSignal.any([signal, this.#stopping.signal]),
    });
    this.#ended.catch(() => undefined); // `stop` rejects with it
  }

  /** Resolves when all that was made is put. Rejects when the producer could not go on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }
}
