import { Validations } from "aws-cdk-lib";
import { GatewayVpcEndpointAwsService, IpAddresses, type IVpc, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { Construct } from "constructs";

export interface NetworkProps {
  /** Availability zones. @default 2, so that one may fail */
  readonly zones?: number;
}

/**
 * Public subnets, no NAT. The tasks only call AWS APIs and accept no connections. A public address behind a
 * security group without inbound rules is therefore as closed as a private subnet.
 *
 * Cost per month, two zones: a NAT gateway in each is about 65 dollars before traffic. Interface endpoints
 * for Kinesis, ECR (two), CloudWatch and its logs are about 73 dollars. Public addresses for six tasks are
 * about 22 dollars. DynamoDB's gateway endpoint is free and keeps the lease traffic inside.
 */
export class Network extends Construct {
  readonly vpc: IVpc;

  constructor(scope: Construct, id: string, props: NetworkProps = {}) {
    super(scope, id);
    this.vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr("10.60.0.0/16"),
      maxAzs: props.zones ?? 2,
      natGateways: 0,
      subnetConfiguration: [
        { name: "public", subnetType: SubnetType.PUBLIC, cidrMask: 20, mapPublicIpOnLaunch: false },
      ],
      gatewayEndpoints: { DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB } },
    }) as IVpc; // CDK's types do not support exactOptionalPropertyTypes
    Validations.of(this).acknowledge({
      id: "AwsSolutions-VPC7",
      reason:
        "Flow logs would record calls to AWS APIs only, which CloudTrail has; nothing can connect to the tasks.",
    });
  }
}
