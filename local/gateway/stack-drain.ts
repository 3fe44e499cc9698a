import type { Clock } from "../../src/ports/clock.ts";
import type { ContainerRuntime } from "../containers/runtime.ts";
import { type Backend, readAll } from "./backend.ts";

const ECS = "AmazonEC2ContainerServiceV20141113";
/** A task has 5 s after SIGTERM. The drain waits one second more, not longer. */
const DRAIN_DEADLINE_MILLIS = 6_000;

export interface DrainDeps {
  ministack: Backend;
  containers: ContainerRuntime;
  clock: Clock;
}

/**
 * Stops the tasks of a stack's services before the stack is deleted. MiniStack would stop them one by one and
 * answer no request meanwhile, so no task could hand over in time. CloudFormation on AWS drains them first
 * too.
 */
export async function drainStack(stackName: string, parts: DrainDeps): Promise<void> {
  const { ministack, containers, clock } = parts;
  const going = new Set<string>();
  for (const { cluster, service } of await servicesOf(stackName, ministack)) {
    const listed = await ministack.call(`${ECS}.ListTasks`, { cluster, serviceName: service });
    for (const taskArn of (listed.output.taskArns ?? []) as string[]) going.add(taskArn);
    await ministack.call(`${ECS}.UpdateService`, { cluster, service, desiredCount: 0 });
  }
  const deadline = clock.monotonicMillis() + DRAIN_DEADLINE_MILLIS;
  const isDraining = () =>
    containers.processes().some(({ taskArn }) => taskArn !== undefined && going.has(taskArn));
  for (let left = DRAIN_DEADLINE_MILLIS; left > 0 && isDraining(); left = deadline - clock.monotonicMillis())
    await containers.untilChange(left, new AbortController().signal);
}

/**
 * The ECS services among a stack's resources. Their physical ids are ARNs `…:service/<cluster>/<service>`.
 */
async function servicesOf(
  stackName: string,
  ministack: Backend,
): Promise<{ cluster: string; service: string }[]> {
  const form = new URLSearchParams({
    Action: "DescribeStackResources",
    Version: "2010-05-15",
    StackName: stackName,
  });
  const answer = await ministack.send({
    method: "POST",
    path: "/",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      authorization:
        "AWS4-HMAC-SHA256 Credential=test/20000101/us-east-1/cloudformation/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: Buffer.from(form.toString()),
  });
  const xml = (await readAll(answer)).toString("utf8");
  const ids = xml.matchAll(
    /<PhysicalResourceId>arn:aws:ecs:[^<]*:service\/([^/<]+)\/([^<]+)<\/PhysicalResourceId>/g,
  );
  return [...ids].map(([, cluster, service]) => ({ cluster: cluster!, service: service! }));
}
