import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Stream, StreamEncryption, StreamMode } from "aws-cdk-lib/aws-kinesis";
import { Construct } from "constructs";

export interface ShardedStreamProps {
  /**
   * Shards at creation. The resharder changes their number without CloudFormation. A later deployment changes
   * it only if this value changed.
   */
  readonly shards: number;
  /** How long a record can be read. @default 24 hours, the cheapest */
  readonly retention?: Duration;
  /**
   * What happens to the stream when the stack is deleted. The experiment creates its own records, and 20
   * forgotten shards cost about 7 dollars a day, so the stream is deleted. Use RETAIN if the records matter.
   * @default RemovalPolicy.DESTROY
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** A provisioned stream. An on-demand stream reshards itself, and this project demonstrates resharding. */
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
