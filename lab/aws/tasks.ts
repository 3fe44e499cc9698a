/** The stack's ECS services: reads the desired and running task counts, and sets the desired count. */
import {
  ClusterNotFoundException,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs";
import { CommandError } from "../errors.ts";
import type { Clients } from "./clients.ts";
import { orSay } from "./not-offered.ts";
import type { Deployment } from "./outputs.ts";

export interface ServiceCounts {
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
}

export async function serviceCounts(
  clients: Clients,
  deployment: Deployment,
  service: string,
): Promise<ServiceCounts> {
  const found = await describe(clients, deployment, service);
  return {
    desired: found.desiredCount ?? 0,
    running: found.runningCount ?? 0,
    pending: found.pendingCount ?? 0,
  };
}

/** The environment of the service's tasks, with the names of services/contract/environment.ts. */
export async function taskEnvironment(
  clients: Clients,
  deployment: Deployment,
  service: string,
): Promise<Readonly<Record<string, string>>> {
  const { taskDefinition } = await describe(clients, deployment, service);
  const answer = await clients.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  const variables = answer.taskDefinition?.containerDefinitions?.[0]?.environment ?? [];
  return Object.fromEntries(variables.map(({ name = "", value = "" }) => [name, value]));
}

/** Undefined: no ECS. LocalStack's free edition deploys the stack without its ECS services. */
export async function consumersWanted(clients: Clients, deployment: Deployment): Promise<number | undefined> {
  try {
    return (await serviceCounts(clients, deployment, deployment.consumerServiceName)).desired;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

const orNoEcs = <T>(clients: Clients, ask: () => Promise<T>): Promise<T> =>
  orSay(
    clients,
    ClusterNotFoundException,
    `ECS cluster of this stack, so there are no tasks; start workers by hand: \`npx evenkeel consumer --pod 1\`, …`,
    ask,
  );

export async function setDesiredCount(
  clients: Clients,
  deployment: Deployment,
  service: string,
  count: number,
): Promise<void> {
  await orNoEcs(clients, () =>
    clients.ecs.send(
      new UpdateServiceCommand({ cluster: deployment.clusterName, service, desiredCount: count }),
    ),
  );
}

async function describe(clients: Clients, deployment: Deployment, service: string) {
  const answer = await orNoEcs(clients, () =>
    clients.ecs.send(new DescribeServicesCommand({ cluster: deployment.clusterName, services: [service] })),
  );
  const found = answer.services?.[0];
  if (found) return found;
  throw new CommandError(
    `no service ${service} in cluster ${deployment.clusterName}; \`npm run up\` deploys it`,
  );
}
