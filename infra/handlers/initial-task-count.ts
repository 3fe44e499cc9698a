/**
 * A custom resource's Lambda function: sets the first task count of a new ECS service. Later deployments
 * leave the count unchanged, because by then the state machine controls it.
 */
import { ECSClient, UpdateServiceCommand } from "@aws-sdk/client-ecs";

export interface CountProperties {
  readonly Cluster: string;
  readonly Service: string;
  /** A number; CloudFormation sends it as a string. */
  readonly Count: string;
}

/** The event that CloudFormation sends. */
export interface CountEvent {
  readonly RequestType: "Create" | "Update" | "Delete";
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  readonly ResourceProperties: CountProperties;
  /** For an update: the previous properties. */
  readonly OldResourceProperties?: CountProperties;
}

export interface CountDeps {
  setDesiredCount(cluster: string, service: string, count: number): Promise<void>;
  /** Sends, by PUT, the answer that CloudFormation waits for. */
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
    // The resource's id is the service's. When the service is replaced, CloudFormation then deletes the old
    // resource.
    const answer = { ...outcome, StackId, RequestId, LogicalResourceId, PhysicalResourceId: service };
    await respond(event.ResponseURL, JSON.stringify(answer));
  };
}

const NOT_IMPLEMENTED = 501;

/** LocalStack's free edition has no ECS: the service is only a name, and no task can be started. */
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
