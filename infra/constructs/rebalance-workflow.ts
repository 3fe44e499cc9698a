import { Duration, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { DefinitionBody, LogLevel, StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { serviceArn } from "./initial-task-count.ts";
import { rebalanceDefinition, TIMEOUT_SECONDS } from "./rebalance-definition.ts";

export interface RebalanceWorkflowProps {
  readonly resharder: IFunction;
  readonly consumerService: FargateService;
}

/** Runs `rebalanceDefinition`. It may call the resharder and change the consumer service's desired count. */
export class RebalanceWorkflow extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, { resharder, consumerService }: RebalanceWorkflowProps) {
    super(scope, id);
    const definition = rebalanceDefinition({
      resharderFunctionArn: resharder.functionArn,
      clusterName: consumerService.cluster.clusterName,
      consumerServiceName: consumerService.serviceName,
    });
    this.stateMachine = new StateMachine(this, "StateMachine", {
      definitionBody: DefinitionBody.fromString(Stack.of(this).toJsonString(definition)),
      timeout: Duration.seconds(TIMEOUT_SECONDS),
      tracingEnabled: true,
      logs: {
        level: LogLevel.ALL,
        includeExecutionData: true,
        destination: new LogGroup(this, "Logs", {
          retention: RetentionDays.ONE_WEEK,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      },
    });
    this.stateMachine.addToRolePolicy(
      new PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [resharder.functionArn] }),
    );
    this.stateMachine.addToRolePolicy(
      new PolicyStatement({ actions: ["ecs:UpdateService"], resources: [serviceArn(consumerService)] }),
    );
    Validations.of(this.stateMachine).acknowledge({
      id: "AwsSolutions-IAM5[Resource::*]",
      reason: "Log delivery (logs:CreateLogDelivery and the like) and X-Ray know no resources.",
    });
  }
}
