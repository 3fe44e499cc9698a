import { CustomResource, Duration, Stack } from "aws-cdk-lib";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { bundledFunction } from "./bundled-function.ts";

export interface InitialTaskCountProps {
  /** Must have no desired count of its own: ECS then starts it with one task. */
  readonly service: FargateService;
  readonly count: number;
}

/**
 * Starts a new service's tasks, once. Every deployment that changes the service would write a desired count
 * from the template again, and so undo changes by the state machine, `scale` or an operator. Without one,
 * CloudFormation leaves the count unchanged.
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
      // If the function cannot run, the deployment fails after this time instead of CloudFormation's hour.
      serviceTimeout: Duration.minutes(2),
      properties: { Cluster: service.cluster.clusterName, Service: service.serviceName, Count: count },
    });
  }
}

/**
 * Built by hand instead of `service.serviceArn`. LocalStack's free edition has no ECS and resolves a
 * reference to "unknown". Its IAM accepts "unknown" as a name inside an ARN, but as a whole ARN it rejects
 * the policy, and with it the stack.
 */
export const serviceArn = ({ cluster, serviceName, stack }: FargateService): string =>
  Stack.of(stack).formatArn({
    service: "ecs",
    resource: "service",
    resourceName: `${cluster.clusterName}/${serviceName}`,
  });
