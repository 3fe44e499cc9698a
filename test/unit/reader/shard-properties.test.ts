/**
 * Under any faults: every record is processed, none is skipped, the order holds, and the checkpoint is
 * correct.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import type { StreamErrorClass } from "../../../src/ports/stream.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { checkpointAt, indexOf, type ShardWorld, shardWorld, type TestLease, upTo } from "./shard-world.ts";

const problem = fc.constantFrom<StreamErrorClass | undefined>(
  undefined,
  undefined,
  "throttled",
  "unavailable",
  "expired-iterator",
  "invalid",
  "not-found",
);

const scenario = fc.record({
  seed: fc.nat(),
  count: fc.integer({ min: 1, max: 120 }),
  maxRecords: fc.integer({ min: 1, max: 40 }),
  readFaults: fc.array(problem, { maxLength: 25 }),
  iteratorFaults: fc.array(problem, { maxLength: 6 }),
  storeFailures: fc.nat(4),
  /** Which handler calls throw. Never four in a row, so that "stop" does not apply. */
  failingCalls: fc.array(fc.boolean(), { maxLength: 40 }),
  handlerMillis: fc.constantFrom(0, 5, 150, 900, 3_000),
  checkpointIntervalMillis: fc.constantFrom(0, 300, 5_000),
  mode: fc.constantFrom("auto", "manual"),
  /** When the shard moves to its next owner. */
  moves: fc.array(fc.integer({ min: 50, max: 8_000 }), { maxLength: 4 }),
  crash: fc.boolean(),
});

describe("properties of a shard's reading", () => {
  it("through faults, moves and crashes: at least once, in order, exactly once where nothing failed or crashed", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        const clock = new VirtualClock();
        const processed: number[] = [];
        let calls = 0;
        let failures = 0;
        let checkpoint = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };
        let crashed = false;
        const start = (moved: number): ShardWorld =>
          shardWorld({
            clock,
            seed: given.seed + moved,
            checkpoint,
            options: {
              maxRecords: given.maxRecords,
              checkpointMode: given.mode as "auto" | "manual",
              checkpointIntervalMillis: given.checkpointIntervalMillis,
            },
            prepare: (stream, lease) => {
              stream.put(given.count);
              stream.closed = true;
              if (moved > 0) return;
              stream.readFaults.push(...given.readFaults);
              stream.iteratorFaults.push(...given.iteratorFaults);
              lease.outcomes.push(
                ...Array.from({ length: given.storeFailures }, () => new StoreUnavailableError("down")),
              );
            },
            handler: async ({ records, checkpoint: confirm, signal }) => {
              await clock.sleep(given.handlerMillis, signal);
              if (signal.aborted) return;
              const fails = given.failingCalls[calls++] === true && calls % 4 !== 0;
              if (fails) {
                failures += 1;
                throw new Error("now and then");
              }
              processed.push(...records.map(indexOf));
              if (given.mode === "manual") await confirm();
            },
          });

        let world = start(0);
        for (const [index, millis] of given.moves.entries()) {
          await clock.advance(millis);
          if (given.crash && index === 0) {
            world.consumer.stop();
            crashed = true;
          } else {
            world.consumer.drain();
          }
          await clock.until(() => world.outcome !== undefined);
          expect(world.consumer.status().bufferedBytes).toBe(0);
          if (world.outcome?.kind === "ended") break;
          checkpoint =
            world.outcome?.kind === "drained" ? world.outcome.checkpoint : lastWritten(world.lease);
          world = start(index + 1);
        }
        await clock.until(() => world.outcome !== undefined, 3_600_000, 200);

        expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(given.count) });
        expect([...new Set(processed)]).toEqual(upTo(given.count));
        for (const [at, index] of processed.entries()) {
          // A step forward is always to the next record: none was skipped. A step back is a repetition.
          const before = processed[at - 1] ?? 0;
          expect(index).toBeLessThanOrEqual(before + 1);
        }
        if (failures === 0 && !crashed) expect(processed).toEqual(upTo(given.count));
      }),
      { numRuns: 150 },
    );
  });
});

const lastWritten = (lease: TestLease) => lease.lease.checkpoint;
