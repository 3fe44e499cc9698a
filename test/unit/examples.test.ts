/** examples/: the handlers with records made by hand, and each program on dynalite and kinesalite. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { CreateStreamCommand, DescribeStreamSummaryCommand, PutRecordCommand } from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { parse } from "yaml";
import { deadLetterTo, handlerFor } from "../../examples/dead-letter.ts";
import { healthServer } from "../../examples/kubernetes/server.ts";
import { manualCheckpoints } from "../../examples/manual-checkpoints.ts";
import { inProject } from "../../lab/project.ts";
import { endpointVariables, isolatedEnvironment } from "../../local/index.ts";
import {
  type ConsumerRecord,
  createWorker,
  PoisonRecordError,
  type ProcessRecordsInput,
} from "../../src/index.ts";
import { systemClock } from "../../src/platform.ts";
import { startDynalite, startKinesalite } from "../conformance/local-servers.ts";

/** Other tests may have the machine. */
const WAIT = { timeout: 40_000, interval: 50 };

const folder = mkdtempSync(join(tmpdir(), "evenkeel-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const record = (text: string, number: number): ConsumerRecord => ({
  data: new TextEncoder().encode(text),
  partitionKey: `key-${number}`,
  sequenceNumber: String(number),
  subSequenceNumber: 0,
  approximateArrivalTimestamp: new Date(0),
});

/** A call of the handler, and what it says in the end. */
function call(records: readonly ConsumerRecord[]) {
  const draining = new AbortController();
  const checkpoint = vi.fn(async () => undefined);
  const input: ProcessRecordsInput = {
    ...{ shardId: "shard-1", records, millisBehindLatest: 0, attempt: 1, checkpoint },
    signal: new AbortController().signal,
    draining: draining.signal,
  };
  return { input, checkpoint, draining };
}

describe("examples/manual-checkpoints.ts", () => {
  const [a, b, c] = ["a", "b", "c"].map(record) as [ConsumerRecord, ConsumerRecord, ConsumerRecord];

  it("checkpoints when enough rows are written, not before", async () => {
    const order: string[] = [];
    const { processRecords } = manualCheckpoints(async (rows) => void order.push(`write ${rows.length}`), 3);
    const [first, second] = [call([a]), call([b, c])];
    second.checkpoint.mockImplementation(async () => void order.push("checkpoint"));
    await processRecords(first.input);
    expect(first.checkpoint).not.toHaveBeenCalled();
    await processRecords(second.input);
    expect(order).toEqual(["write 3", "checkpoint"]);
    const third = call([record("d", 4)]);
    await processRecords(third.input);
    expect(order).toEqual(["write 3", "checkpoint"]); // begins anew
  });

  it("waits out a write that fails, and checkpoints after the one that does not", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    onTestFinished(() => void vi.restoreAllMocks());
    const write = vi.fn(async () => undefined).mockRejectedValueOnce(new Error("the disk is full"));
    const { processRecords } = manualCheckpoints(write, 1);
    const { input, checkpoint } = call([a]);
    await processRecords(input);
    expect(write.mock.calls).toEqual([[[a]], [[a]]]);
    expect(checkpoint).toHaveBeenCalledOnce();
  });

  it("gives up a write that fails when the shard is wanted elsewhere, without a checkpoint", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    onTestFinished(() => void vi.restoreAllMocks());
    const { input, checkpoint, draining } = call([a]);
    const { processRecords } = manualCheckpoints(async () => {
      draining.abort();
      throw new Error("down");
    }, 1);
    await expect(processRecords(input)).rejects.toThrow();
    expect(checkpoint).not.toHaveBeenCalled();
  });

  it.each(["shutdownRequested", "shardEnded"] as const)("%s writes the rest first", async (hook) => {
    const order: string[] = [];
    const handlers = manualCheckpoints(async (rows) => void order.push(`write ${rows.length}`), 3);
    await handlers.processRecords(call([a, b]).input);
    const checkpoint = async () => void order.push("checkpoint");
    await handlers[hook]({ shardId: "shard-1", checkpoint });
    expect(order).toEqual(["write 2", "checkpoint"]);
  });

  it("a write that fails at the end of a shard is made again, and then checkpointed", async () => {
    const write = vi.fn(async () => undefined).mockRejectedValueOnce(new Error("down"));
    const { processRecords, shardEnded } = manualCheckpoints(write, 3);
    await processRecords(call([a]).input);
    const checkpoint = vi.fn(async () => undefined);
    const ended = { shardId: "shard-1", checkpoint };
    await expect(shardEnded(ended)).rejects.toThrow("down");
    expect(checkpoint).not.toHaveBeenCalled();
    await shardEnded(ended);
    expect(write.mock.calls).toEqual([[[a]], [[a]]]);
    expect(checkpoint).toHaveBeenCalledOnce();
  });

  it("a lost lease takes its rows along", async () => {
    const write = vi.fn(async () => undefined);
    const { processRecords, leaseLost, shutdownRequested } = manualCheckpoints(write, 3);
    await processRecords(call([a]).input);
    leaseLost({ shardId: "shard-1" });
    await shutdownRequested({ shardId: "shard-1", checkpoint: async () => undefined });
    expect(write).not.toHaveBeenCalled();
  });
});

describe("examples/dead-letter.ts", () => {
  it("handles what it can read, and says which record it cannot", async () => {
    const handled: string[] = [];
    const processRecords = handlerFor(async ({ id }) => void handled.push(id));
    const [good, bad] = [record('{ "id": "o-1" }', 1), record("no JSON", 2)];
    const failure = await Promise.resolve(processRecords(call([good, bad]).input)).catch((error) => error);
    expect(handled).toEqual(["o-1"]);
    expect(failure).toBeInstanceOf(PoisonRecordError);
    expect(failure).toMatchObject({ code: "POISON_RECORD", record: bad });
  });

  it("passes on what the downstream throws: that is waited out, no poison", async () => {
    const down = new Error("503");
    const processRecords = handlerFor(() => Promise.reject(down));
    await expect(processRecords(call([record("{}", 1)]).input)).rejects.toBe(down);
  });

  it("keeps the whole record, and the reason", async () => {
    const file = join(folder, "by-hand.jsonl");
    await deadLetterTo(file)(record("no JSON", 2), new Error("not readable"));
    const { data, ...line } = JSON.parse(readFileSync(file, "utf8"));
    expect(line).toMatchObject({ partitionKey: "key-2", sequenceNumber: "2", error: "not readable" });
    expect(Buffer.from(data, "base64").toString()).toBe("no JSON");
  });
});

describe("examples/kubernetes", () => {
  const statuses = async (server: Server) => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    return [await status("/healthz"), await status("/readyz"), await status("/")];
  };

  it("a worker that has not started is alive, and not ready", async () => {
    const processRecords = () => undefined;
    const options = { applicationName: "orders", streamName: "orders", processRecords };
    const server = healthServer(createWorker({ ...options, region: "us-east-1" }));
    onTestFinished(() => void server.close());
    expect(await statuses(server)).toEqual([200, 503, 503]);
  });

  it("one that takes part is ready; one that has ended is neither", async () => {
    for (const ok of [true, false]) {
      const server = healthServer({ health: () => ({ live: ok, ready: ok, reasons: [] }) });
      onTestFinished(() => void server.close());
      expect(await statuses(server)).toEqual(ok ? [200, 200, 503] : [503, 503, 503]);
    }
  });

  it("deployment.yaml is the manifest of the documents, and asks for the paths that the server has", () => {
    const manifest = parse(readFileSync(inProject("examples/kubernetes/deployment.yaml"), "utf8"));
    const page = readFileSync(inProject("docs/kubernetes.md"), "utf8");
    expect(parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? "")).toEqual(manifest);
    const [{ livenessProbe, readinessProbe, startupProbe }] = manifest.spec.template.spec.containers;
    const paths = [livenessProbe, readinessProbe, startupProbe].map((probe) => probe.httpGet.path);
    expect(paths).toEqual(["/healthz", "/readyz", "/readyz"]);
  });
});

describe("as programs", { timeout: 60_000 }, () => {
  let kinesis: Awaited<ReturnType<typeof startKinesalite>>;
  /** The sequence number of the stream's last record. */
  let last: string | undefined;

  beforeAll(async () => {
    kinesis = await startKinesalite();
    const StreamName = "orders";
    await kinesis.client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    const summary = () => kinesis.client.send(new DescribeStreamSummaryCommand({ StreamName }));
    while ((await summary()).StreamDescriptionSummary?.StreamStatus !== "ACTIVE") await systemClock.sleep(20);
    for (const text of ['{"id":"o-1"}', "no JSON", '{"id":"o-2"}']) {
      const Data = new TextEncoder().encode(text);
      const put = new PutRecordCommand({ StreamName, PartitionKey: "ann", Data });
      last = (await kinesis.client.send(put)).SequenceNumber;
    }
  });
  afterAll(() => kinesis.close());

  /** With a lease table of its own. */
  async function start(example: string, args: readonly string[], environment: object = {}) {
    const dynamoDb = await startDynalite();
    const child = spawn(process.execPath, ["--import", "tsx", inProject("examples", example), ...args], {
      cwd: inProject(),
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...isolatedEnvironment(process.env),
        ...endpointVariables({ url: dynamoDb.url }),
        AWS_ENDPOINT_URL_KINESIS: kinesis.url,
        ...environment,
      },
    });
    onTestFinished(() => {
      child.kill("SIGKILL");
      return dynamoDb.close();
    });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    // Shown when a test fails: a warning is said in any case, because dynalite takes no metrics.
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    return {
      said: (text: string) => vi.waitFor(() => expect(stdout, stderr).toContain(text), WAIT),
      stop: async () => {
        child.kill("SIGTERM");
        const [code] = await once(child, "exit");
        return code;
      },
      /** The checkpoint of the one shard. */
      checkpoint: async () => {
        const { Items = [] } = await dynamoDb.client.send(new ScanCommand({ TableName: "orders" }));
        return Items.find(({ leaseKey }) => leaseKey?.S === "shardId-000000000000")?.checkpoint?.S;
      },
    };
  }

  it("basic.ts logs every record, and leaves with everything checkpointed", async () => {
    const program = await start("basic.ts", []);
    await program.said("takes part");
    for (const text of ['{"id":"o-1"}', "no JSON", '{"id":"o-2"}'])
      await program.said(`shardId-000000000000 ann ${text}\n`);
    expect(await program.stop()).toBe(0);
    expect(await program.checkpoint()).toBe(last);
  });

  it("manual-checkpoints.ts writes what it has collected when it is stopped, and checkpoints it", async () => {
    const file = join(folder, "rows.txt");
    const program = await start("manual-checkpoints.ts", [file]);
    await program.said("collected 3");
    expect([existsSync(file), await program.checkpoint()]).toEqual([false, "TRIM_HORIZON"]);
    expect(await program.stop()).toBe(0);
    expect(readFileSync(file, "utf8")).toBe('{"id":"o-1"}\nno JSON\n{"id":"o-2"}\n');
    expect(await program.checkpoint()).toBe(last);
  });

  it("dead-letter.ts puts the record aside that is no JSON, and handles the others", async () => {
    const file = join(folder, "dead-letters.jsonl");
    const program = await start("dead-letter.ts", [file]);
    await program.said("order o-1\n");
    await program.said("order o-2\n");
    expect(await program.stop()).toBe(0);
    const [line, ...more] = readFileSync(file, "utf8").trim().split("\n");
    expect(Buffer.from(JSON.parse(line ?? "").data, "base64").toString()).toBe("no JSON");
    expect(more).toEqual([]);
    expect(await program.checkpoint()).toBe(last);
  });

  it("kubernetes/server.ts is ready when it takes part", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const program = await start("kubernetes/server.ts", [], { PORT: String(port), POD_NAME: "orders-0" });
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    await vi.waitFor(async () => expect(await status("/readyz")).toBe(200), WAIT);
    expect(await status("/healthz")).toBe(200);
    await program.said("shardId-000000000000 3\n");
    expect(await program.stop()).toBe(0);
    expect(await program.checkpoint()).toBe(last);
  });
});
