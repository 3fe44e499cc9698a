package evenkeel.interop;

import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * One Java KCL worker: polls, prints every record as a history line on stdout, checkpoints at most every
 * CHECKPOINT_INTERVAL_MILLIS a shard and at the end, and shuts down gracefully on SIGTERM.
 * Everything not set here is KCL's default.
 */
public final class Worker {
  private static final String WORKER_ID = required("WORKER_ID");
  private static final long CHECKPOINT_INTERVAL_NANOS =
      TimeUnit.MILLISECONDS.toNanos(Long.parseLong(required("CHECKPOINT_INTERVAL_MILLIS")));

  public static void main(String[] arguments) throws Exception {
    URI endpoint = URI.create(required("AWS_ENDPOINT_URL"));
    Region region = Region.of(required("AWS_REGION"));
    String stream = required("STREAM_NAME");
    KinesisAsyncClient kinesis =
        KinesisAsyncClient.builder().endpointOverride(endpoint).region(region).build();
    DynamoDbAsyncClient dynamoDb =
        DynamoDbAsyncClient.builder().endpointOverride(endpoint).region(region).build();
    CloudWatchAsyncClient cloudWatch =
        CloudWatchAsyncClient.builder().endpointOverride(endpoint).region(region).build();

    SingleStreamTracker tracker =
        new SingleStreamTracker(
            stream,
            InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON));
    ConfigsBuilder configs =
        new ConfigsBuilder(
            tracker, required("APPLICATION_NAME"), kinesis, dynamoDb, cloudWatch, WORKER_ID, Processor::new);
    Scheduler scheduler =
        new Scheduler(
            configs.checkpointConfig(),
            configs.coordinatorConfig(),
            configs
                .leaseManagementConfig()
                .failoverTimeMillis(Long.parseLong(required("FAILOVER_TIME_MILLIS"))),
            configs.lifecycleConfig(),
            configs.metricsConfig().metricsLevel(MetricsLevel.NONE),
            configs.processorConfig(),
            configs.retrievalConfig().retrievalSpecificConfig(new PollingConfig(stream, kinesis)));

    Thread running = new Thread(scheduler, "scheduler");
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(scheduler, running), "stop"));
    event("task-started");
    running.start();
    running.join();
  }

  private static void stop(Scheduler scheduler, Thread running) {
    try {
      boolean graceful = scheduler.startGracefulShutdown().get(10, TimeUnit.SECONDS);
      running.join(TimeUnit.SECONDS.toMillis(10));
      event(graceful ? "task-stopped" : "task-stopped-ungracefully");
    } catch (Exception error) {
      System.err.println("graceful shutdown failed: " + error);
    }
  }

  private static final class Processor implements ShardRecordProcessor {
    private String shardId;
    private long checkpointedNanos = System.nanoTime();

    @Override
    public void initialize(InitializationInput input) {
      shardId = input.shardId();
      line("\"type\":\"started\",\"shardId\":\"" + shardId + "\",\"checkpoint\":\""
          + input.extendedSequenceNumber().sequenceNumber() + "\"");
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
      for (KinesisClientRecord record : input.records()) {
        String data = text(record.data());
        // The producer's data is a flat JSON object {"key":…,"n":…}: its members go into the line as they are.
        line("\"type\":\"record\",\"shardId\":\"" + shardId + "\",\"sequenceNumber\":\""
            + record.sequenceNumber() + "\"," + data.substring(1, data.length() - 1));
      }
      if (!input.records().isEmpty() && System.nanoTime() - checkpointedNanos >= CHECKPOINT_INTERVAL_NANOS) {
        checkpoint(input.checkpointer());
      }
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
      line("\"type\":\"lost\",\"shardId\":\"" + shardId + "\"");
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
      checkpoint(input.checkpointer());
      line("\"type\":\"ended\",\"shardId\":\"" + shardId + "\"");
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {
      checkpoint(input.checkpointer());
    }

    private void checkpoint(RecordProcessorCheckpointer checkpointer) {
      try {
        checkpointer.checkpoint();
        checkpointedNanos = System.nanoTime();
      } catch (ShutdownException | InvalidStateException error) {
        // Another worker owns the lease and continues from the last checkpoint. The test reads this line.
        line("\"type\":\"refused\",\"shardId\":\"" + shardId + "\",\"error\":\""
            + error.getClass().getSimpleName() + "\"");
      }
    }
  }

  private static String text(ByteBuffer data) {
    return StandardCharsets.UTF_8.decode(data.duplicate()).toString();
  }

  private static void event(String name) {
    line("\"type\":\"event\",\"name\":\"" + name + "\"");
  }

  private static synchronized void line(String members) {
    System.out.println(
        "{\"t\":" + System.currentTimeMillis() + ",\"worker\":\"" + WORKER_ID + "\"," + members + "}");
  }

  private static String required(String name) {
    String value = System.getenv(name);
    if (value == null || value.isEmpty()) {
      System.err.println(name + " is not set: the interop test sets it");
      System.exit(2);
    }
    return value;
  }
}
