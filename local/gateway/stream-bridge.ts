import type { Clock } from "../../src/ports/clock.ts";
import type { Backend } from "./backend.ts";

/**
 * After a stack operation was observed, streams may still be created and deleted for this long: MiniStack
 * takes seconds.
 */
const STACK_CHANGE_WINDOW_MILLIS = 30_000;
/** Within that window: the longest time for which a known stream counts as checked. */
const RECHECK_MILLIS = 500;
const CHANGE_DEADLINE_MILLIS = 15_000;
/** Names come from requests, so their number is limited. A full cache is cleared and rebuilt. */
const MAX_NAMES = 1_000;

const STACK_CHANGES =
  /^CloudFormation\.(CreateStack|UpdateStack|DeleteStack|ExecuteChangeSet|RollbackStack)$/;
const STACK_LOOKS = /^CloudFormation\.Describe/;

/**
 * `stack`: created by MiniStack's CloudFormation at `createdAt` and copied here. `client`: unknown to
 * MiniStack.
 */
type Known =
  | { origin: "stack"; createdAt: number; checkedAt: number }
  | { origin: "client"; checkedAt: number };

/**
 * CloudFormation in MiniStack creates streams in MiniStack's own Kinesis, which has no users. This bridge
 * creates each of them in kinesis-local when a request first names it. It deletes the copy there when the
 * stack is gone or has recreated the stream.
 */
export class StreamBridge {
  readonly #ministack: Backend;
  readonly #kinesis: Backend;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<void>>();
  #stacksChangeUntil = Number.NEGATIVE_INFINITY;
  #lastLookAt = Number.NEGATIVE_INFINITY;

  constructor({ ministack, kinesis, clock }: { ministack: Backend; kinesis: Backend; clock: Clock }) {
    this.#ministack = ministack;
    this.#kinesis = kinesis;
    this.#clock = clock;
  }

  /**
   * Must be called for every operation. After one that changes stacks, the known streams are checked again.
   */
  observe(operation: string): void {
    const now = this.#clock.monotonicMillis();
    const isInWindow = now < this.#stacksChangeUntil;
    if (!STACK_CHANGES.test(operation) && !(isInWindow && STACK_LOOKS.test(operation))) return;
    this.#stacksChangeUntil = now + STACK_CHANGE_WINDOW_MILLIS;
    // A client that has just read that a stack is deleted must not find its stream. Checks before that read
    // no longer count.
    this.#lastLookAt = now;
  }

  /** Resolves when kinesis-local's stream of this name agrees with MiniStack's stacks. */
  async ensure(name: string): Promise<void> {
    const known = this.#known.get(name);
    if (known && this.#isFresh(known)) return;
    let check = this.#underWay.get(name);
    if (!check) {
      check = this.#reconcile(name).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, check);
    }
    await check;
  }

  /**
   * Before a ListStreams: creates the streams that stacks created, and deletes those that their stacks
   * deleted.
   */
  async ensureAll(): Promise<void> {
    const { output } = await this.#ministack.call("Kinesis_20131202.ListStreams", { Limit: 1000 });
    const made = (output.StreamNames ?? []) as string[];
    const copied = [...this.#known].filter(([, known]) => known.origin === "stack").map(([name]) => name);
    for (const name of new Set([...made, ...copied])) {
      const known = this.#known.get(name);
      if (known) known.checkedAt = Number.NEGATIVE_INFINITY;
      await this.ensure(name);
    }
  }

  /**
   * A client deleted the stream through the Kinesis API. MiniStack's copy is deleted too; otherwise the
   * stream would reappear when it is next named.
   */
  async deletedByClient(name: string): Promise<void> {
    await this.#ministack.call("Kinesis_20131202.DeleteStream", { StreamName: name });
    this.#known.delete(name);
  }

  #isFresh({ checkedAt }: Known): boolean {
    const isRecent =
      this.#clock.monotonicMillis() - checkedAt < RECHECK_MILLIS || checkedAt > this.#stacksChangeUntil;
    return isRecent && checkedAt > this.#lastLookAt;
  }

  async #reconcile(name: string): Promise<void> {
    const before = this.#known.get(name);
    const checkedAt = this.#clock.monotonicMillis();
    const made = await this.#summary(this.#ministack, name);
    const isSame = before?.origin === "stack" && before.createdAt === made?.StreamCreationTimestamp;
    if (before?.origin === "stack" && !isSame) await this.#deleteStream(name);
    if (made && !isSame) await this.#createStream(name, made);
    if (this.#known.size >= MAX_NAMES) this.#known.clear();
    this.#known.set(
      name,
      made
        ? { origin: "stack", createdAt: made.StreamCreationTimestamp, checkedAt }
        : { origin: "client", checkedAt },
    );
  }

  async #createStream(name: string, made: StreamSummary): Promise<void> {
    if (await this.#summary(this.#kinesis, name)) return;
    await this.#must("CreateStream", {
      StreamName: name,
      ShardCount: made.OpenShardCount,
      StreamModeDetails: made.StreamModeDetails,
    });
    await this.#until(name, (summary) => summary?.StreamStatus === "ACTIVE");
    if (made.RetentionPeriodHours > 24)
      await this.#must("IncreaseStreamRetentionPeriod", {
        StreamName: name,
        RetentionPeriodHours: made.RetentionPeriodHours,
      });
  }

  async #deleteStream(name: string): Promise<void> {
    if (!(await this.#summary(this.#kinesis, name))) return;
    await this.#must("DeleteStream", { StreamName: name, EnforceConsumerDeletion: true });
    await this.#until(name, (summary) => summary === undefined);
  }

  async #summary(backend: Backend, name: string): Promise<StreamSummary | undefined> {
    const { status, output } = await backend.call("Kinesis_20131202.DescribeStreamSummary", {
      StreamName: name,
    });
    if (status === 200) return output.StreamDescriptionSummary as StreamSummary;
    if (String(output.__type).endsWith("ResourceNotFoundException")) return undefined;
    throw new Error(`${backend.name} failed to describe stream ${name}: ${JSON.stringify(output)}`);
  }

  async #must(operation: string, input: object): Promise<void> {
    const { status, output } = await this.#kinesis.call(`Kinesis_20131202.${operation}`, input);
    if (status !== 200) throw new Error(`${operation} in kinesis-local failed: ${JSON.stringify(output)}`);
  }

  async #until(name: string, holds: (summary: StreamSummary | undefined) => boolean): Promise<void> {
    const deadline = this.#clock.monotonicMillis() + CHANGE_DEADLINE_MILLIS;
    while (!holds(await this.#summary(this.#kinesis, name))) {
      if (this.#clock.monotonicMillis() > deadline)
        throw new Error(`stream ${name} in kinesis-local did not settle in ${CHANGE_DEADLINE_MILLIS} ms`);
      await this.#clock.sleep(20);
    }
  }
}

interface StreamSummary {
  StreamStatus: string;
  StreamCreationTimestamp: number;
  OpenShardCount: number;
  RetentionPeriodHours: number;
  StreamModeDetails?: { StreamMode: string };
}
