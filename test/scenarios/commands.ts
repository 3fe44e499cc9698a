/** The commands of a scenario. Settings come first; the first command that needs a scene creates it. */
import type { Swarm } from "../simulation/swarm.ts";
import { distribution, picture } from "./picture.ts";
import { longName, Scene, type Step } from "./scene.ts";

/** A younger record may still be in flight: idle time, hand-over, handler. */
const ON_ITS_WAY_MILLIS = 3_000;

type Settings = { -readonly [K in keyof Swarm]?: Swarm[K] };

export class Script {
  readonly #settings: Settings = { putsPerSecond: 40 };
  #scene: Scene | undefined;
  #step: Step | undefined;

  /** The scene as the commands so far have left it. */
  get scene(): Scene {
    this.#scene ??= new Scene(this.#settings);
    return this.#scene;
  }

  /** @returns what is shown below the command */
  async perform(command: string): Promise<readonly string[]> {
    const [verb = "", ...words] = command.split(/\s+/);
    const rest = words.join(" ");
    switch (verb) {
      case "stream":
        this.#set("shards", number(rest, /^(\d+) shards?$/));
        return [];
      case "records":
        this.#set("putsPerSecond", number(rest, /^(\d+) a second$/));
        return [];
      case "failover":
        this.#set("failoverTimeMillis", millis(rest));
        return [];
      case "handler":
        this.#set("handlerMillis", { low: millis(rest), high: millis(rest) });
        return [];
      case "batches":
        this.#set("maxRecords", number(rest, /^of (\d+)$/));
        return [];
      case "cap":
        this.#set("cap", capRule(rest));
        return [];
      case "start":
        for (const id of words) this.scene.cluster.startWorker(id);
        return [];
      case "stop":
        for (const id of words) this.scene.cluster.stopWorker(this.scene.worker(id));
        return [];
      case "crash":
        this.scene.cluster.crash(this.scene.worker(rest === "the leader" ? this.scene.leader : rest));
        return [];
      case "put":
        this.scene.cluster.putSome(number(rest, /^(\d+) records$/));
        return [];
      case "split":
        this.#split(words);
        return [];
      case "merge":
        this.#merge(words);
        return [];
      case "advance":
        this.#step = await this.scene.advance(millis(rest));
        return picture(this.#step);
      case "expect":
        this.#expect(rest);
        return [];
      default:
        throw new Error(`there is no command ${verb}: see test/scenarios/README.md`);
    }
  }

  #set<K extends keyof Swarm>(name: K, value: Swarm[K]): void {
    if (this.#scene !== undefined) throw new Error("settings come before the first worker");
    this.#settings[name] = value;
  }

  /** Splits as the resharder does: the fleet is woken afterwards, unless `unannounced`. */
  #split(words: readonly string[]): void {
    const { stream, table } = this.scene.cluster;
    for (const number of shardNumbers(words.filter((word) => word !== "unannounced"))) {
      if (!stream.split(longName(number))) throw new Error(`shard ${number} is not open`);
    }
    if (!words.includes("unannounced")) table.requestShardSync();
  }

  #merge(words: readonly string[]): void {
    const { stream, table } = this.scene.cluster;
    for (const pair of words) {
      const [lower, upper] = pair.split("+").map(Number);
      if (lower === undefined || upper === undefined)
        throw new Error(`"${pair}": expected two shards, as 20+21`);
      const next = stream.shards().length;
      if (!stream.merge(longName(lower))) throw new Error(`shard ${lower} is not open, or has no neighbour`);
      const parents = stream.shard(longName(next))!.shard.parentShardIds;
      if (!parents.includes(longName(upper))) throw new Error(`${upper} is not the shard next to ${lower}`);
    }
    table.requestShardSync();
  }

  #expect(what: string): void {
    const step = this.#step;
    if (step === undefined) throw new Error("nothing was shown yet: advance first");
    const moves = /^(\d+|no) moves?$/.exec(what);
    const unowned = /^(\d+) unowned$/.exec(what);
    let found: string;
    if (/^\d+(\/\d+)*$/.test(what)) found = distribution(step);
    else if (moves)
      found = `${moves[1] === "no" && step.moves.length === 0 ? "no" : step.moves.length} moves`;
    else if (unowned) found = `${step.runnable.filter((l) => l.owner === undefined).length} unowned`;
    else if (what === "no record twice") {
      const twice = this.scene.handledTwice;
      found = twice === 0 ? what : `${twice} records twice`;
    } else if (what === "every record handled") {
      const missing = this.scene.unhandled(ON_ITS_WAY_MILLIS);
      found = missing === 0 ? what : `${missing} records not handled`;
    } else throw new Error("what to expect? See test/scenarios/README.md");
    if (found !== what) throw new Error(`found ${found}`);
  }
}

function number(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`"${text}" does not look like ${pattern.source}`);
  return Number(found);
}

const millis = (text: string): number =>
  text.endsWith("ms") ? number(text, /^(\d+)ms$/) : number(text, /^(\d+(?:\.\d+)?)s$/) * 1_000;

function capRule(text: string): Swarm["cap"] {
  if (text === "min(10, shards / workers)") return { kind: "formula", limit: 10 };
  return { kind: "number", limit: number(text, /^(\d+)$/) };
}

/** `3`, `3 5`, `0–9`, `0-9`. */
const shardNumbers = (words: readonly string[]): number[] =>
  words.flatMap((word) => {
    const [first, last = first] = word.split(/[–-]/).map(Number);
    if (first === undefined || last === undefined || Number.isNaN(first + last))
      throw new Error(`"${word}": expected shards, as 3 or 0–9`);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
