/**
 * Each service's role grants exactly what the service was observed to do. Its calls are those that the
 * gateway counted over all earlier steps (the deployment, the experiment, the tools, the end of the stack);
 * the state machine's tasks are those of its executions. Grants that cannot be observed here are justified in
 * test/infra/grants.json, line by line.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { endpointAdmin } from "../../local/index.ts";
import { ARGUED, differences, grantsOf, type SeenCall } from "../infra/grants.ts";
import type { ByHand } from "./by-hand.ts";

/** Called while the stack is up: its executions are removed with it. */
export async function callsOfStateMachine(user: ByHand, stateMachineArn: string): Promise<SeenCall[]> {
  const { executions } = await user.awslocal(
    "stepfunctions",
    "list-executions",
    "--state-machine-arn",
    stateMachineArn,
  );
  const operations = new Set<string>();
  for (const { executionArn } of executions as { executionArn: string }[]) {
    const { events } = await user.awslocal(
      "stepfunctions",
      "get-execution-history",
      "--execution-arn",
      executionArn,
    );
    for (const { taskScheduledEventDetails: task } of events) {
      // On AWS the resource is "invoke" of the type "lambda"; here it is the definition's own.
      const [, service, operation] = /:::(?:aws-sdk:)?(\w+):(\w+)$/.exec(task?.resource ?? "") ?? [];
      if (service === "lambda" && operation === "invoke") operations.add("Lambda.Invoke");
      else if (service === "ecs" && operation === "updateService") operations.add("ECS.UpdateService");
      else if (task !== undefined) expect.fail(`an unknown task of the state machine: ${task.resource}`);
    }
  }
  return [...operations].map((operation) => ({ caller: "state machine", operation }));
}

/** @param options `templateFile`: the template that was deployed */
export function grantsSuite(options: {
  readonly user: () => ByHand;
  readonly templateFile: () => string;
  readonly stateMachineCalls: () => readonly SeenCall[];
}): void {
  it("no service may do what it never did, and none did what it may not", async () => {
    const calls = await endpointAdmin(options.user().url).calls();
    const grants = grantsOf(JSON.parse(readFileSync(options.templateFile(), "utf8")));
    const seen = [...calls, ...options.stateMachineCalls()];
    // On an emulator images are found by name, so ECS is granted no pull.
    const granted = new Set(grants.map(({ role, action }) => `${role} ${action}`));
    const argued = Object.fromEntries(
      Object.entries(ARGUED).map(([role, reasons]) => [
        role,
        Object.fromEntries(Object.entries(reasons).filter(([action]) => granted.has(`${role} ${action}`))),
      ]),
    );
    expect(differences(grants, seen, argued)).toEqual([]);
  });
}
