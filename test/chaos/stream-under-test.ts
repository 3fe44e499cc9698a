/** The stream of one row: created, split, merged, deleted and created again. */
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  MergeShardsCommand,
  ResourceNotFoundException,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import type { Clients } from "../../lab/aws/clients.ts";
import { listShards, type StreamShard, streamStatus } from "../../lab/aws/stream.ts";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { systemClock } from "../../src/platform.ts";
import type { Random } from "../../src/ports/random.ts";
import { pick } from "./pick.ts";

const POLL_MILLIS = 50;
/** kinesis-local takes a tenth of a second for each change; the machine may be busy. */
const CHANGE_DEADLINE_MILLIS = 20_000;

export interface StreamDeps {
  readonly clients: Clients;
  readonly streamName: string;
  readonly random: Random;
  readonly write: (event: HistoryEvent) => void;
}

export class StreamUnderTest {
  readonly #deps: StreamDeps;

  constructor(deps: StreamDeps) {
    this.#deps = deps;
  }

  async create(shards: number): Promise<void> {
    const { clients, streamName } = this.#deps;
    await clients.kinesis.send(new CreateStreamCommand({ StreamName: streamName, ShardCount: shards }));
    await this.#untilActive();
  }

  /** Deletes the stream with its records. */
  async delete(): Promise<void> {
    const { clients, streamName } = this.#deps;
    await clients.kinesis.send(new DeleteStreamCommand({ StreamName: streamName }));
  }

  /** Deletes the stream and creates another with the same name. */
  async remake(shards: number): Promise<void> {
    const { clients, streamName } = this.#deps;
    await this.delete();
    await this.#until("gone", async () => {
      try {
        await streamStatus(clients, streamName);
        return false;
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return true;
        throw error;
      }
    });
    await this.create(shards);
  }

  async open(): Promise<StreamShard[]> {
    const shards = await listShards(this.#deps.clients, this.#deps.streamName);
    return shards.filter((shard) => shard.open);
  }

  /** Splits a random open shard in the middle. */
  async split(): Promise<void> {
    const { clients, streamName, random } = this.#deps;
    const { shardId, range } = pick(await this.open(), random);
    const middle = String((range.start + range.end) / 2n + 1n);
    await this.#reshard(() =>
      clients.kinesis.send(
        new SplitShardCommand({ StreamName: streamName, ShardToSplit: shardId, NewStartingHashKey: middle }),
      ),
    );
  }

  /** Merges a random open shard with its neighbour. */
  async merge(): Promise<void> {
    const { clients, streamName, random } = this.#deps;
    const open = (await this.open()).toSorted((a, b) => (a.range.start < b.range.start ? -1 : 1));
    const at = Math.floor(random.next() * (open.length - 1));
    const [left, right] = [open[at], open[at + 1]];
    if (left === undefined || right === undefined) throw new Error("a merge needs two open shards");
    await this.#reshard(() =>
      clients.kinesis.send(
        new MergeShardsCommand({
          StreamName: streamName,
          ShardToMerge: left.shardId,
          AdjacentShardToMerge: right.shardId,
        }),
      ),
    );
  }

  async #reshard(request: () => Promise<unknown>): Promise<void> {
    const { clients, streamName, write } = this.#deps;
    const before = new Set((await listShards(clients, streamName)).map(({ shardId }) => shardId));
    write({ type: "event", t: systemClock.wallMillis(), name: "split-requested" });
    await request();
    await this.#untilActive();
    const fresh = (await listShards(clients, streamName)).filter(({ shardId }) => !before.has(shardId));
    write({
      type: "event",
      t: systemClock.wallMillis(),
      name: "split-done",
      children: fresh.map(({ shardId }) => shardId),
      parents: Object.fromEntries(fresh.map(({ shardId, parents }) => [shardId, parents])),
    });
  }

  async #untilActive(): Promise<void> {
    const { clients, streamName } = this.#deps;
    await this.#until("active", async () => (await streamStatus(clients, streamName)) === "ACTIVE");
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = systemClock.monotonicMillis() + CHANGE_DEADLINE_MILLIS;
    while (!(await holds())) {
      if (systemClock.monotonicMillis() > deadline)
        throw new Error(
          `stream ${this.#deps.streamName} was not ${what} in ${CHANGE_DEADLINE_MILLIS / 1000} s`,
        );
      await systemClock.sleep(POLL_MILLIS);
    }
  }
}
