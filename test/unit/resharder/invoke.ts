/** Calls the handler as the state machine and users call it, on a stream and a fleet in memory. */
import { expect } from "vitest";
import { makeHandler, type PlanResult } from "../../../services/resharder/make-handler.ts";
import { holes } from "../../../src/core/hash-range.ts";
import type { World } from "./memory-stream.ts";

/** One invocation, with `limitMillis` of remaining time on the world's clock. */
export function invoke<T>(
  world: World,
  event: Parameters<ReturnType<typeof makeHandler>>[0],
  limitMillis = 300_000,
): Promise<T> {
  const deadline = world.clock.now + limitMillis;
  return makeHandler(world.deps)(event, {
    getRemainingTimeInMillis: () => deadline - world.clock.now,
  }) as Promise<T>;
}

export const planFor = (world: World, input: unknown) => invoke<PlanResult>(world, { action: "plan", input });

export function expectWhole(world: World, count: number): void {
  expect(world.stream.open).toHaveLength(count);
  expect(holes(world.stream.open.map(({ hashRange }) => hashRange))).toEqual([]);
}
