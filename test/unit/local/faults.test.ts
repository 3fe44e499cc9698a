import { describe, expect, test } from "vitest";
import { FaultBoard, type FaultTarget } from "../../../local/gateway/faults.ts";

const call = (over: Partial<Omit<FaultTarget, "resource">> & { resource?: string } = {}): FaultTarget => ({
  caller: over.caller ?? "orders-w1",
  operation: over.operation ?? "DynamoDB.UpdateItem",
  resource: () => over.resource,
});

function board() {
  let now = 0;
  const faults = new FaultBoard(
    () => 0.5,
    () => now,
  );
  return { faults, pass: (millis: number) => (now += millis) };
}

describe("what a fault hits", () => {
  test.each([
    ["another operation", { operation: "DynamoDB.GetItem" }, call(), false],
    ["every operation of the service", { operation: "DynamoDB.*" }, call(), true],
    ["the caller", { caller: "orders-w1" }, call(), true],
    ["another caller", { caller: "orders-w" }, call(), false],
    ["callers that begin so", { caller: "orders-*" }, call(), true],
    ["callers that begin otherwise", { caller: "bills-*" }, call(), false],
    ["the table", { resource: "orders" }, call({ resource: "orders" }), true],
    ["another table", { resource: "orders" }, call({ resource: "bills" }), false],
    ["a call that names no resource", { resource: "orders" }, call(), false],
    ["a chance below the draw", { probability: 0.5 }, call(), false],
    ["a chance above the draw", { probability: 0.51 }, call(), true],
  ])("%s", (_, scope, target, hit) => {
    const { faults } = board();
    faults.add({ operation: "DynamoDB.UpdateItem", fault: "fail", ...scope });
    expect(faults.match(target) !== undefined).toBe(hit);
  });

  test("the same draws for the same seed", () => {
    const draws = (seed: number) => {
      const { faults } = board();
      faults.add({ operation: "DynamoDB.*", fault: "fail", probability: 0.5, seed });
      return Array.from({ length: 64 }, () => faults.match(call()) !== undefined).join();
    };
    expect(draws(7)).toBe(draws(7));
    expect(draws(7)).not.toBe(draws(8));
  });

  test("as often as asked, as long as asked", () => {
    const { faults, pass } = board();
    faults.add({ id: "twice", operation: "DynamoDB.*", fault: "fail", times: 2 });
    faults.add({ id: "a second", operation: "DynamoDB.*", fault: "throttle", durationMillis: 1_000 });
    const hits = () => faults.match(call())?.id;
    expect([hits(), hits(), hits()]).toEqual(["twice", "twice", "a second"]);
    pass(999);
    expect(hits()).toBe("a second");
    pass(1);
    expect(hits()).toBeUndefined();
    expect(faults.list()).toEqual([]);
  });
});

test.each([
  [{ operation: "GetItem", fault: "fail" }, /^operation: expected "<Service>.<Operation>"/],
  [{ operation: "DynamoDB.*", fault: "explode" }, /^fault: expected one of throttle, /],
  [{ operation: "DynamoDB.*", fault: "error" }, /^error: expected with "fault": "error"/],
  [{ operation: "DynamoDB.*", fault: "fail", error: "Denied" }, /^error: expected with "fault": "error"/],
  [{ operation: "DynamoDB.*", fault: "error", error: "a b" }, /^error: expected the name of an AWS error/],
  [{ operation: "DynamoDB.*", fault: "fail", resource: 3 }, /^resource: expected text/],
  [
    { operation: "DynamoDB.*", fault: "fail", durationMillis: 0 },
    /^durationMillis: expected a number from 1/,
  ],
  [{ operation: "DynamoDB.*", fault: "fail", sometimes: true }, /^"sometimes" is not a property of a fault/],
])("%j is refused in words", (rule, problem) => {
  expect(board().faults.add(rule)).toMatch(problem);
});
