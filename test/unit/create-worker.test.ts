import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createWorker } from "../../src/index.ts";
import { type AnsweringServer, failure, startAnswering } from "./adapters/answering-server.ts";

describe("starting on a stream that is not there", () => {
  let server: AnsweringServer;
  beforeEach(async () => {
    process.env.AWS_ACCESS_KEY_ID ??= "test";
    process.env.AWS_SECRET_ACCESS_KEY ??= "test";
    server = await startAnswering(() => failure("ResourceNotFoundException"));
  });
  afterEach(() => server.close());

  it("is refused with the stream's name, before the lease table is touched", {
    timeout: 60_000,
  }, async () => {
    const worker = createWorker({
      applicationName: "orders",
      streamName: "odrers",
      endpoint: server.url,
      region: "us-east-1",
      createLeaseTable: true,
      logger: false,
      processRecords: async () => undefined,
    });
    await expect(worker.start()).rejects.toMatchObject({
      name: "StreamError",
      problem: "not-found",
      message: expect.stringMatching(/^ListShards of stream odrers failed: ResourceNotFoundException/),
    });
    // Retried for a while: a stream that was created a moment ago may not be known everywhere.
    expect(new Set(server.calls.map((call) => call.operation))).toEqual(new Set(["ListShards"]));
    expect(await worker.stop()).toEqual([]);
  });
});
