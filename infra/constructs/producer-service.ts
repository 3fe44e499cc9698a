import { Duration } from "aws-cdk-lib";
import type { ContainerImage, FargateService, ICluster } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IStream } from "aws-cdk-lib/aws-kinesis";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { PRODUCER_ENVIRONMENT as NAMES } from "../../services/contract/environment.ts";
import { FleetService } from "./fleet-service.ts";

export interface ProducerServiceProps {
  readonly cluster: ICluster;
  readonly image: ContainerImage;
  readonly stream: IStream;
  /** Number of producers. Producers never share a key. */
  readonly desiredCount: number;
  /** Records per second, for each producer. */
  readonly rate: number;
  /** Distinct partition keys, for each producer. */
  readonly keys: number;
  /** Zipf exponent of the key choice. @default 0, uniform */
  readonly skew?: number;
  /** A log line per record. @default false */
  readonly historyToLog?: boolean;
  /** Directory for history files. @default - none are written */
  readonly historyDirectory?: string;
}

/**
 * The load: numbered records, so that lost, duplicated and reordered records are detected. It may only put
 * records.
 */
export class ProducerService extends Construct {
  readonly service: FargateService;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: ProducerServiceProps) {
    super(scope, id);
    const fleet = new FleetService(this, "Fleet", {
      cluster: props.cluster,
      image: props.image,
      containerName: "producer",
      desiredCount: props.desiredCount,
      stopTimeout: Duration.seconds(5),
      environment: {
        [NAMES.streamName]: props.stream.streamName,
        [NAMES.rate]: String(props.rate),
        [NAMES.keys]: String(props.keys),
        [NAMES.skew]: String(props.skew ?? 0),
        ...(props.historyToLog && { [NAMES.history]: "log" }),
        ...(props.historyDirectory !== undefined && { [NAMES.historyDirectory]: props.historyDirectory }),
      },
    });
    this.service = fleet.service;
    this.logGroup = fleet.logGroup;
    fleet.taskDefinition.addToTaskRolePolicy(
      new PolicyStatement({ actions: ["kinesis:PutRecords"], resources: [props.stream.streamArn] }),
    );
  }
}
