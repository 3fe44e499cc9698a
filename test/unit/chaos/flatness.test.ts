import { describe, expect, test } from "vitest";
import { flatnessChecks, picture, type ResourceSample } from "../../chaos/flatness.ts";

const MIB = 1024 * 1024;

/** `course`: megabytes of heap, one number per sample. */
const samples = (course: readonly number[], more: Partial<ResourceSample> = {}): ResourceSample[] =>
  course.map((heap, i) => ({
    ...{ worker: "w1", atMillis: i * 1_000, heapBytes: heap * MIB, rssBytes: 90 * MIB, openFiles: 30 },
    active: { TCPSocketWrap: 8, Timeout: 12 },
    ...more,
  }));

const failed = (all: readonly ResourceSample[]) =>
  flatnessChecks(all)
    .filter(({ ok }) => !ok)
    .map(({ name }) => name);

describe("flat or not", () => {
  test("a heap that goes up and down is flat, one that grows is not", () => {
    expect(failed(samples(Array.from({ length: 90 }, (_, i) => 20 + (i % 7))))).toEqual([]);
    expect(failed(samples(Array.from({ length: 90 }, (_, i) => 20 + i / 5)))).toEqual(["w1: heap flat"]);
  });

  test("sockets and timers that pile up are not", () => {
    const leaking = samples(Array(90).fill(20)).map((sample, i) => ({
      ...sample,
      active: { TCPSocketWrap: 8 + i / 3, Timeout: 12 + i / 3 },
    }));
    expect(failed(leaking)).toEqual(["w1: sockets flat", "w1: timers flat"]);
  });

  test("too few samples prove nothing", () => {
    expect(failed(samples(Array(8).fill(20)))).toEqual(["w1 flat"]);
  });

  test("each worker is judged by itself", () => {
    const growing = samples(
      Array.from({ length: 30 }, (_, i) => 20 + i),
      { worker: "w2" },
    );
    expect(failed([...samples(Array(30).fill(20)), ...growing])).toEqual(["w2: heap flat"]);
  });
});

test("the picture shows the course from nothing to the most", () => {
  const [heap] = picture(samples([0, 10, 20, 30, 40]));
  expect(heap).toBe("w1   heap       ▁▃▅▆█ 40.0 MiB");
});
