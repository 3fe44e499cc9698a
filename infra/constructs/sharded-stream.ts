import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Stream, StreamEncryption, StreamMode } from "aws-cdk-lib/aws-kinesis";
import { Construct } from "constructs";

export interface ShardedStreamProps {
  /** Shards at creation. The resharder changes their number behind CloudFormation's back; a later deployment changes it only where this value changed. */
  readonly shards: number;
  /** How long a record can be read. @default 24 hours, the cheapest */
  readonly retention?: Duration;
  /**
   * What happens to the stream with the stack. The experiment makes its own records, and 20 forgotten shards bill about
   * 7 dollars a day, so it goes; keep it where the records are anybody's.
   * @default RemovalPolicy.DESTROY
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** A provisioned stream: on-demand ones reshard themselves, which is not what is to be shown. */
export class ShardedStream extends Construct {
  readonly stream: Stream;

  constructor(scope: Construct, id: string, props: ShardedStreamProps) {
    super(scope, id);
    this.stream = new Stream(this, "Resource", {
      streamMode: StreamMode.PROVISIONED,
      shardCount: props.shards,
      retentionPeriod: props.retention ?? Duration.hours(24),
      encryption: StreamEncryption.MANAGED,
      removalPolicy: props.removalPolicy ?? RemovalPolicy.DESTROY,
    });
  }
}
