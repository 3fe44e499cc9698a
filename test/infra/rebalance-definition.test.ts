import { describe, expect, test } from "vitest";
import { rebalanceDefinition } from "../../infra/constructs/rebalance-definition.ts";

interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly End?: boolean;
  readonly TimeoutSeconds?: number;
  readonly Retry?: readonly { readonly ErrorEquals: readonly string[]; readonly MaxAttempts: number }[];
  readonly Catch?: readonly { readonly Next: string }[];
  readonly Choices?: readonly { readonly Next: string; readonly Condition: string }[];
}

const definition = rebalanceDefinition({
  resharderFunctionArn: "arn:fn",
  clusterName: "cluster",
  consumerServiceName: "service",
});
const states = definition.States as Record<string, State>;
const next = (state: State) => [
  ...(state.Next ? [state.Next] : []),
  ...(state.Default ? [state.Default] : []),
  ...(state.Choices ?? []).map((choice) => choice.Next),
  ...(state.Catch ?? []).map((caught) => caught.Next),
];
const tasks = Object.entries(states).filter(([, state]) => state.Type === "Task");

describe("the rebalance definition", () => {
  test("every state is reached, every target exists, every way ends", () => {
    const reached = new Set<string>([definition.StartAt]);
    for (const name of reached) for (const target of next(states[name]!)) reached.add(target);
    expect([...reached].toSorted()).toEqual(Object.keys(states).toSorted());
    for (const [name, state] of Object.entries(states)) {
      if (next(state).length === 0) expect(state.Type === "Fail" || state.End, name).toBe(true);
    }
  });

  test("every task has a time limit, retries and a way out", () => {
    expect(tasks).toHaveLength(5);
    for (const [name, state] of tasks) {
      expect(state.TimeoutSeconds, name).toBeGreaterThan(0);
      expect(state.Retry?.at(-1)?.ErrorEquals, name).toEqual(["States.ALL"]);
      expect(
        state.Retry?.every(({ MaxAttempts }) => MaxAttempts <= 3),
        name,
      ).toBe(true);
      expect(state.Catch, name).toMatchObject([{ ErrorEquals: ["States.ALL"], Next: "Failed" }]);
    }
    expect(definition.TimeoutSeconds).toBeGreaterThan(0);
  });

  test("every way back to an earlier state passes a bounded choice", () => {
    for (const [choice, back] of [
      ["Resharded", "Reshard"],
      ["Owned", "WaitForOwners"],
      ["Converged", "WaitForBalance"],
    ] as const) {
      const way = states[choice]!.Choices!.find((candidate) => candidate.Next === back);
      expect(way?.Condition).toMatch(/\.round < \d+ %}$/);
      expect(states[states[choice]!.Default!]!.Type).toBe("Fail");
    }
    // Without those ways there is no cycle left.
    const visit = (name: string, path: readonly string[]): void => {
      expect(path, `cycle ${[...path, name].join(" → ")}`).not.toContain(name);
      for (const target of next(states[name]!)) {
        const bounded =
          states[name]!.Type === "Choice" &&
          states[name]!.Choices!.some((way) => way.Next === target && way.Condition.includes(".round < "));
        if (!bounded) visit(target, [...path, name]);
      }
    };
    visit(definition.StartAt, []);
  });
});
