import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type EndpointPorts, runtimeFolder } from "./settings.ts";

/** The content of `.evenkeel/endpoint.json`: the endpoint that runs for this clone. */
export interface EndpointRecord {
  url: string;
  /** The process id of the supervisor. */
  pid: number;
  ports: EndpointPorts;
  /** Epoch milliseconds. */
  startedAt: number;
  /** Set once the endpoint is stopping: it still holds its ports, but must not be used. */
  isStopping?: true;
}

const recordFile = () => join(runtimeFolder(), "endpoint.json");

export function writeRecord(record: EndpointRecord): void {
  mkdirSync(dirname(recordFile()), { recursive: true });
  writeFileSync(recordFile(), `${JSON.stringify(record, null, 2)}\n`);
}

export function readRecord(): EndpointRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordFile(), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** From now on, other commands wait for the endpoint to end. */
export function markStopping(pid: number): void {
  const record = readRecord();
  if (record?.pid === pid) writeRecord({ ...record, isStopping: true });
}

/** Removes the record, unless another endpoint has written its own meanwhile. */
export function removeRecord(pid: number): void {
  if (readRecord()?.pid === pid) rmSync(recordFile(), { force: true });
}
