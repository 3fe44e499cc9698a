import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type EndpointPorts, runtimeFolder } from "./settings.ts";

/** What `.evenkeel/endpoint.json` says about the endpoint that runs for this clone. */
export interface EndpointRecord {
  url: string;
  /** The supervisor's process. */
  pid: number;
  ports: EndpointPorts;
  /** Epoch milliseconds. */
  startedAt: number;
  /** Set when it was told to stop: it still has its ports, and is no longer to be used. */
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

/** Other commands wait for its end from now on. */
export function markStopping(pid: number): void {
  const record = readRecord();
  if (record?.pid === pid) writeRecord({ ...record, isStopping: true });
}

/** Removes the record, unless another endpoint has written its own meanwhile. */
export function removeRecord(pid: number): void {
  if (readRecord()?.pid === pid) rmSync(recordFile(), { force: true });
}
