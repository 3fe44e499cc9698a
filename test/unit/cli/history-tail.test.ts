import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HistoryTail } from "../../../lab/history/tail.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-tail-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (n: number) =>
  `${JSON.stringify({ type: "put", t: n, key: "k", n, shardId: "s", sequenceNumber: String(n) })}\n`;
const record = (n: number, worker = "w") =>
  `${JSON.stringify({ type: "record", t: n, worker, shardId: "s", key: "k", n, sequenceNumber: String(n) })}\n`;
const write = (name: string, text: string) => appendFileSync(join(folder, name), text);

it("counts what is on the way, in whatever order the files are read", async () => {
  const tail = new HistoryTail(folder);
  write("a-consumer.jsonl", record(1) + record(2));
  write("producer.jsonl", put(1) + put(2) + put(3));
  expect(await tail.poll()).toEqual({ produced: 3, processed: 2, pending: 1, newestPutAt: 3 });
  write("a-consumer.jsonl", record(3));
  expect(await tail.poll()).toEqual({ produced: 3, processed: 3, pending: 0, newestPutAt: 3 });
});

it("waits for the rest of a line that is being written", async () => {
  const tail = new HistoryTail(folder);
  const line = put(1);
  write("producer.jsonl", line.slice(0, 20));
  expect(await tail.poll()).toMatchObject({ produced: 0 });
  write("producer.jsonl", line.slice(20));
  expect(await tail.poll()).toMatchObject({ produced: 1, pending: 1 });
});

it("a record handled twice leaves nothing on the way twice", async () => {
  const tail = new HistoryTail(folder);
  write("producer.jsonl", put(1) + put(2));
  write("w.jsonl", record(1));
  await tail.poll();
  write("x.jsonl", record(1, "x"));
  expect(await tail.poll()).toMatchObject({ produced: 2, pending: 1 });
});

it("shows every event to an observer, and does not follow the lab's own file", async () => {
  const seen: string[] = [];
  const tail = new HistoryTail(folder, (event) => seen.push(event.type));
  write(
    "w.jsonl",
    `${JSON.stringify({ type: "event", t: 1, name: "task-started", worker: "w" })}\nnot json\n${record(1)}`,
  );
  writeFileSync(join(folder, "lab.jsonl"), put(9));
  await tail.poll();
  expect(seen).toEqual(["event", "record"]);
});
