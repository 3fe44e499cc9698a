import { CustomResource, Duration, Stack } from "aws-cdk-lib";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { bundledFunction } from "./bundled-function.ts";

export interface InitialTaskCountProps {
  /** Without a desired count of its own: ECS begins it with one task. */
  readonly service: FargateService;
  readonly count: number;
}

/**
 * Starts a new service's tasks, once. A desired count in the template would be written again by every deployment that
 * changes the service, and undo what the state machine, `scale` or an operator did since; without one CloudFormation
 * leaves the count alone.
 */
export class InitialTaskCount extends Construct {
  constructor(scope: Construct, id: string, { service, count }: InitialTaskCountProps) {
    super(scope, id);
    const { function: setter, role } = bundledFunction(this, {
      name: "initial-task-count",
      entry: "infra/handlers/initial-task-count.ts",
      memorySize: 256,
      timeout: Duration.minutes(1),
    });
    role.addToPolicy(
      new PolicyStatement({ actions: ["ecs:UpdateService"], resources: [serviceArn(service)] }),
    );
    new CustomResource(this, "Resource", {
      resourceType: "Custom::InitialTaskCount",
      serviceToken: setter.functionArn,
      // A function that cannot run fails the deployment after this, not after CloudFormation's hour.
      serviceTimeout: Duration.minutes(2),
      properties: { Cluster: service.cluster.clusterName, Service: service.serviceName, Count: count },
    });
  }
}

/**
 * Written out rather than `service.serviceArn`: LocalStack's free edition has no ECS and puts "unknown" in a
 * reference's place; as a name in an ARN that passes, as a whole ARN its IAM refuses the policy, and with it the stack.
 */
export const serviceArn = ({ cluster, serviceName, stack }: FargateService): string =>
  Stack.of(stack).formatArn({
    service: "ecs",
    resource: "service",
    resourceName: `${cluster.clusterName}/${serviceName}`,
  });
