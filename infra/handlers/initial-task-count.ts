/**
 * A custom resource's Lambda function: gives a new ECS service its first number of tasks. Later deployments leave the
 * number alone, because it is the state machine's by then.
 */
import { ECSClient, UpdateServiceCommand } from "@aws-sdk/client-ecs";

export interface CountProperties {
  readonly Cluster: string;
  readonly Service: string;
  /** CloudFormation makes a string of it. */
  readonly Count: string;
}

/** As CloudFormation sends it. */
export interface CountEvent {
  readonly RequestType: "Create" | "Update" | "Delete";
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  readonly ResourceProperties: CountProperties;
  /** Of an update: what they were. */
  readonly OldResourceProperties?: CountProperties;
}

export interface CountDeps {
  setDesiredCount(cluster: string, service: string, count: number): Promise<void>;
  /** PUTs the answer that CloudFormation waits for. */
  respond(url: string, body: string): Promise<void>;
}

export function makeCountHandler({ setDesiredCount, respond }: CountDeps) {
  return async (event: CountEvent): Promise<void> => {
    const { Cluster: cluster, Service: service, Count } = event.ResourceProperties;
    const isNew =
      event.RequestType === "Create" ||
      (event.RequestType === "Update" && event.OldResourceProperties?.Service !== service);
    let outcome: { readonly Status: "SUCCESS" } | { readonly Status: "FAILED"; readonly Reason: string };
    try {
      if (isNew) await setDesiredCount(cluster, service, Number(Count));
      outcome = { Status: "SUCCESS" };
    } catch (error) {
      outcome = { Status: "FAILED", Reason: `${service} did not get its ${Count} tasks: ${String(error)}` };
    }
    const { StackId, RequestId, LogicalResourceId } = event;
    // Its id is the service's: CloudFormation then deletes what stood for a service that was replaced.
    const answer = { ...outcome, StackId, RequestId, LogicalResourceId, PhysicalResourceId: service };
    await respond(event.ResponseURL, JSON.stringify(answer));
  };
}

const NOT_IMPLEMENTED = 501;

/** LocalStack's free edition has no ECS: the service is a name there, and nothing can be started. */
const isNotOffered = (error: unknown): boolean =>
  error instanceof Error &&
  "$metadata" in error &&
  (error.$metadata as { httpStatusCode?: number }).httpStatusCode === NOT_IMPLEMENTED;

let client: ECSClient | undefined;

export const handler = makeCountHandler({
  async setDesiredCount(cluster, service, desiredCount) {
    client ??= new ECSClient({ userAgentAppId: "initial-task-count" });
    try {
      await client.send(new UpdateServiceCommand({ cluster, service, desiredCount }));
    } catch (error) {
      if (!isNotOffered(error)) throw error;
      console.log(JSON.stringify({ message: "no ECS here: no tasks are started", error: String(error) }));
    }
  },
  async respond(url, body) {
    const answer = await fetch(url, { method: "PUT", body });
    if (!answer.ok) throw new Error(`CloudFormation refused the answer: ${answer.status}`);
  },
});
