/** The deployed stack, described by its CloudFormation outputs. */
import { DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { CommandError, messageOf } from "../errors.ts";
import type { Clients } from "./clients.ts";

export interface Deployment {
  readonly application: string;
  readonly stackName: string;
  readonly streamName: string;
  readonly leaseTableName: string;
  readonly clusterName: string;
  readonly consumerServiceName: string;
  readonly producerServiceName: string;
  readonly stateMachineArn: string;
  readonly resharderFunctionName: string;
  readonly dashboardName: string;
  /** Open shards at the first deployment: the base of `--percent`. */
  readonly deployedShards: number;
}

export const stackNameOf = (application: string): string =>
  application.charAt(0).toUpperCase() + application.slice(1);

const OUTPUTS = {
  streamName: "StreamName",
  leaseTableName: "LeaseTableName",
  clusterName: "ClusterName",
  consumerServiceName: "ConsumerServiceName",
  producerServiceName: "ProducerServiceName",
  stateMachineArn: "StateMachineArn",
  resharderFunctionName: "ResharderFunctionName",
  dashboardName: "DashboardName",
  deployedShards: "DeployedShards",
} as const;

/** Undefined: no such stack. Throws if the stack exists but is half made. */
export async function findDeployment(clients: Clients, application: string): Promise<Deployment | undefined> {
  const stackName = stackNameOf(application);
  const stack = await describe(clients, stackName);
  if (stack === undefined || stack.StackStatus === "DELETE_COMPLETE") return undefined;
  const values = new Map((stack.Outputs ?? []).map((output) => [output.OutputKey, output.OutputValue]));
  const named = Object.entries(OUTPUTS).map(([name, output]) => {
    const value = values.get(output);
    if (!value)
      throw new CommandError(
        `stack ${stackName} (${stack.StackStatus}) has no output ${output}; deploy it again with \`npm run up\``,
      );
    return [name, value] as const;
  });
  const found = Object.fromEntries(named) as Record<keyof typeof OUTPUTS, string>;
  return { ...found, application, stackName, deployedShards: Number(found.deployedShards) };
}

export async function requireDeployment(clients: Clients, application: string): Promise<Deployment> {
  const found = await findDeployment(clients, application);
  if (found) return found;
  const where = clients.target.endpointUrl ?? `AWS ${clients.target.region}`;
  throw new CommandError(`no stack ${stackNameOf(application)} at ${where}; deploy it with \`npm run up\``);
}

async function describe(clients: Clients, stackName: string) {
  try {
    const answer = await clients.cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }));
    return answer.Stacks?.[0];
  } catch (error) {
    // CloudFormation has no "not found" error of its own: it is a ValidationError with this text.
    if (error instanceof Error && /does not exist/i.test(messageOf(error))) return undefined;
    throw error;
  }
}
