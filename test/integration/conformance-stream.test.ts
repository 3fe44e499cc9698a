/** The stream suite on the embedded endpoint, through its gateway, with the client that the engine uses. */
import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { inject, vi } from "vitest";
import { kinesisClient } from "../../src/adapters/aws-clients.ts";
import { kinesisUnderTest } from "../conformance/kinesis-under-test.ts";
import { describeStream } from "../conformance/stream-suite.ts";

let client: KinesisClient;
let streams = 0;

describeStream(
  "Kinesis adapter on the embedded endpoint",
  (shards) => kinesisUnderTest(client, `conformance-stream-${++streams}`, shards),
  { namesChildren: true, refusesNonsense: false, foreignNumber: "not-found" },
  {
    prepare: async () => {
      vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
      client = kinesisClient({ endpoint: inject("endpointUrl"), region: "us-east-1" });
    },
    tearDown: async () => {
      client.destroy();
      vi.unstubAllEnvs();
    },
  },
);
