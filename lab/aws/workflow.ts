/** The rebalance state machine: starts it, waits for it, and reports a failure in one line. */
import {
  DescribeExecutionCommand,
  ListExecutionsCommand,
  StartExecutionCommand,
  StateMachineDoesNotExist,
} from "@aws-sdk/client-sfn";
import type { Clock } from "../../src/ports/clock.ts";
import { CommandError, Interrupted } from "../errors.ts";
import type { Clients } from "./clients.ts";
import { orSay } from "./not-offered.ts";
import type { Deployment } from "./outputs.ts";

/** Each field is optional. Absent: leave the value unchanged. */
export interface RebalanceRequest {
  readonly targetShards?: number;
  readonly targetTasks?: number;
  /** Continue even if a reshard seems done or in progress. */
  readonly force?: boolean;
}

export interface WaitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly timeoutMillis: number;
}

const POLL_MILLIS = 300;

/** Resolves with the execution's output when it has succeeded. */
export async function rebalance(
  clients: Clients,
  deployment: Deployment,
  request: RebalanceRequest,
  { clock, signal, timeoutMillis }: WaitOptions,
): Promise<unknown> {
  const { executionArn } = await orNoStateMachine(clients, () =>
    clients.stepFunctions.send(
      new StartExecutionCommand({
        stateMachineArn: deployment.stateMachineArn,
        input: JSON.stringify(request),
      }),
    ),
  );
  const deadline = clock.monotonicMillis() + timeoutMillis;
  while (!signal.aborted) {
    const answer = await clients.stepFunctions.send(new DescribeExecutionCommand({ executionArn }));
    if (answer.status === "SUCCEEDED") return JSON.parse(answer.output ?? "null");
    if (answer.status !== "RUNNING" && answer.status !== "PENDING_REDRIVE")
      throw new CommandError(
        `the state machine ${answer.status?.toLowerCase()}: ${answer.error ?? ""} ${shortCause(answer.cause)}`.trim(),
      );
    if (clock.monotonicMillis() > deadline)
      throw new CommandError(
        `the state machine still runs after ${timeoutMillis / 1_000} s (execution ${executionArn})`,
      );
    await clock.sleep(POLL_MILLIS, signal);
  }
  throw new Interrupted("state machine");
}

/** Lambda's cause is JSON with an errorMessage. Any other cause is cut to one line. */
export function shortCause(cause: string | undefined): string {
  if (!cause) return "";
  try {
    const parsed: unknown = JSON.parse(cause);
    if (typeof parsed === "object" && parsed !== null && "errorMessage" in parsed)
      return String(parsed.errorMessage).split("\n")[0] ?? "";
  } catch {
    // Not JSON: returned as text below.
  }
  return (cause.split("\n")[0] ?? "").slice(0, 200);
}

/** The execution in progress, if any. */
export async function runningExecution(
  clients: Clients,
  deployment: Deployment,
): Promise<string | undefined> {
  const answer = await orNoStateMachine(clients, () =>
    clients.stepFunctions.send(
      new ListExecutionsCommand({
        stateMachineArn: deployment.stateMachineArn,
        statusFilter: "RUNNING",
        maxResults: 1,
      }),
    ),
  );
  return answer.executions?.[0]?.executionArn;
}

/** An endpoint may keep the stack's outputs but not the state machine that they name. */
const orNoStateMachine = <T>(clients: Clients, ask: () => Promise<T>): Promise<T> =>
  orSay(
    clients,
    StateMachineDoesNotExist,
    `such state machine, which reshards; deploy the stack there with \`npm run up\`, or split with \`aws kinesis split-shard\`: the fleet follows`,
    ask,
  );
