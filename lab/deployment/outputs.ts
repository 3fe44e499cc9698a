/** The deployed stack: its outputs by name, and what it was deployed with. Looked up once per process and stack. */
import { DescribeStacksCommand, GetTemplateCommand } from "@aws-sdk/client-cloudformation";
import { messageOf, Problem } from "../problem.ts";
import type { Clients } from "./clients.ts";

export interface Deployment {
  readonly application: string;
  readonly stackName: string;
  readonly streamName: string;
  readonly leaseTableName: string;
  readonly clusterName: string;
  readonly consumerServiceName: string;
  readonly stateMachineArn: string;
  readonly resharderFunctionName: string;
  readonly dashboardName: string;
}

export const stackNameOf = (application: string): string =>
  application.charAt(0).toUpperCase() + application.slice(1);

const OUTPUTS = {
  streamName: "StreamName",
  leaseTableName: "LeaseTableName",
  clusterName: "ClusterName",
  consumerServiceName: "ConsumerServiceName",
  stateMachineArn: "StateMachineArn",
  resharderFunctionName: "ResharderFunctionName",
  dashboardName: "DashboardName",
} as const;

/** Undefined: no such stack. Throws when it is there but half made. */
export async function findDeployment(clients: Clients, application: string): Promise<Deployment | undefined> {
  const stackName = stackNameOf(application);
  const stack = await describe(clients, stackName);
  if (stack === undefined || stack.StackStatus === "DELETE_COMPLETE") return undefined;
  const values = new Map((stack.Outputs ?? []).map((output) => [output.OutputKey, output.OutputValue]));
  const named = Object.entries(OUTPUTS).map(([name, output]) => {
    const value = values.get(output);
    if (!value)
      throw new Problem(
        `stack ${stackName} (${stack.StackStatus}) has no output ${output}; deploy it again with \`npm run up\``,
      );
    return [name, value] as const;
  });
  return { application, stackName, ...(Object.fromEntries(named) as Record<keyof typeof OUTPUTS, string>) };
}

export async function requireDeployment(clients: Clients, application: string): Promise<Deployment> {
  const found = await findDeployment(clients, application);
  if (found) return found;
  const where = clients.target.endpointUrl ?? `AWS ${clients.target.region}`;
  throw new Problem(`no stack ${stackNameOf(application)} at ${where}; deploy it with \`npm run up\``);
}

async function describe(clients: Clients, stackName: string) {
  try {
    const answer = await clients.cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }));
    return answer.Stacks?.[0];
  } catch (error) {
    // CloudFormation has no "not found" error of its own: a ValidationError whose text says so.
    if (error instanceof Error && /does not exist/i.test(messageOf(error))) return undefined;
    throw error;
  }
}

/** The shard and task counts of the deployed template: what `--percent` counts from. */
export async function deployedCounts(
  clients: Clients,
  deployment: Deployment,
): Promise<{ readonly shards: number; readonly pods: number }> {
  const { TemplateBody } = await clients.cloudFormation.send(
    new GetTemplateCommand({ StackName: deployment.stackName }),
  );
  return countsInTemplate(TemplateBody ?? "{}", deployment.stackName);
}

interface TemplateResource {
  readonly Type?: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** Pure: reads a synthesised (JSON) template. */
export function countsInTemplate(body: string, stackName: string): { shards: number; pods: number } {
  const template = JSON.parse(body) as { Resources?: Record<string, TemplateResource> };
  const resources = Object.entries(template.Resources ?? {});
  const stream = resources.find(([, resource]) => resource.Type === "AWS::Kinesis::Stream")?.[1];
  const shards = Number(stream?.Properties?.ShardCount);
  if (!Number.isInteger(shards) || shards < 1)
    throw new Problem(`the template of stack ${stackName} gives no shard count; say how many with --to`);
  const services = resources.filter(([, resource]) => resource.Type === "AWS::ECS::Service");
  const consumer = services.find(([id]) => /consumer/i.test(id)) ?? services[0];
  return { shards, pods: Number(consumer?.[1].Properties?.DesiredCount ?? 0) };
}
