import { type Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { type ISecurityGroup, SecurityGroup, SubnetType } from "aws-cdk-lib/aws-ec2";
import {
  type ContainerImage,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  type ICluster,
  LogDrivers,
  OperatingSystemFamily,
} from "aws-cdk-lib/aws-ecs";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

export interface FleetServiceProps {
  readonly cluster: ICluster;
  readonly image: ContainerImage;
  /** The container's name. The embedded endpoint attributes API calls to it. */
  readonly containerName: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Written by every deployment that changes the service. @default - one task initially, then unchanged */
  readonly desiredCount?: number;
  /** From SIGTERM to SIGKILL. At most 120 s on Fargate. */
  readonly stopTimeout: Duration;
}

/** A Fargate service without a load balancer: it only calls AWS APIs and accepts no connections. */
export class FleetService extends Construct {
  readonly service: FargateService;
  readonly taskDefinition: FargateTaskDefinition;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: FleetServiceProps) {
    super(scope, id);
    this.logGroup = new LogGroup(this, "Logs", {
      retention: RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.taskDefinition = new FargateTaskDefinition(this, "Task", {
      cpu: 256,
      memoryLimitMiB: 512,
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.X86_64,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
    });
    this.taskDefinition.addContainer(props.containerName, {
      image: props.image,
      environment: props.environment,
      stopTimeout: props.stopTimeout,
      readonlyRootFilesystem: true,
      // Node as process 1 has no default signal handlers and does not reap children. The services handle
      // SIGTERM themselves.
      logging: LogDrivers.awsLogs({ logGroup: this.logGroup, streamPrefix: props.containerName }),
    });
    Validations.of(this.taskDefinition).acknowledge(
      {
        id: "AwsSolutions-ECS2",
        reason: "The variables are names and numbers of this stack, nothing secret.",
      },
      {
        id: "AwsSolutions-IAM5[Resource::*]",
        reason:
          "ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resources; the latter is limited by its namespace.",
      },
    );
    this.service = new FargateService(this, "Service", {
      cluster: props.cluster,
      taskDefinition: this.taskDefinition,
      ...(props.desiredCount !== undefined && { desiredCount: props.desiredCount }),
      // A deployment starts the new tasks beside the old ones, so the fleet never runs below its count.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      assignPublicIp: true,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      securityGroups: [this.#outboundOnly(props.cluster)],
    });
  }

  #outboundOnly(cluster: ICluster): ISecurityGroup {
    return new SecurityGroup(this, "OutboundOnly", {
      vpc: cluster.vpc,
      description: "Outbound only: the tasks call AWS APIs, nothing connects to them",
    });
  }
}
