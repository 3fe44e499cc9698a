/**
 * A worker for Kubernetes: its health as `/healthz` (liveness) and `/readyz` (readiness), its pod's name as its
 * worker id, and a hand-over at SIGTERM. The manifest is deployment.yaml; docs/kubernetes.md explains its fields.
 *
 * Run it as ../basic.ts says: `npx tsx examples/kubernetes/server.ts`, then `curl -i localhost:8080/readyz`.
 */
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { createWorker, type ProcessRecordsInput, type Worker } from "evenkeel";

export function processRecords({ shardId, records }: ProcessRecordsInput): void {
  console.log(shardId, records.length);
}

/** Answers 200 or 503, and the reasons as JSON. */
export function healthServer(worker: Pick<Worker, "health">): Server {
  return createServer((request, response) => {
    const { live, ready, reasons } = worker.health();
    const isOk = request.url === "/healthz" ? live : request.url === "/readyz" && ready;
    response.writeHead(isOk ? 200 : 503, { "content-type": "application/json" });
    response.end(JSON.stringify({ live, ready, reasons }));
  });
}

async function main(): Promise<void> {
  const { POD_NAME, PORT = "8080" } = process.env;
  const worker = createWorker({
    applicationName: "orders",
    streamName: "orders",
    processRecords,
    maxLeasesForWorker: ({ shards, workers }) => Math.min(10, Math.ceil(shards / workers)),
    ...(POD_NAME && { workerId: POD_NAME }),
  });
  // Before the worker takes part: the probes ask from the first second on.
  healthServer(worker).listen(Number(PORT));
  process.once("SIGTERM", () => void worker.stop().then((left) => process.exit(left.length === 0 ? 0 : 1)));
  await worker.start();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
