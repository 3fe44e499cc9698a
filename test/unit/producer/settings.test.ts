import { expect, test } from "vitest";
import { readProducerSettings } from "../../../services/producer/settings.ts";

test("defaults, and empty means default", () => {
  expect(readProducerSettings({ STREAM_NAME: "orders", RATE: "", HISTORY_DIRECTORY: "" })).toEqual({
    streamName: "orders",
    rate: 200,
    keys: 400,
    skew: 0,
    historyDirectory: undefined,
    history: "none",
    logLevel: "info",
  });
});

test.each([
  [{}, /^STREAM_NAME is not set; expected the name of the Kinesis stream$/],
  [{ STREAM_NAME: "s", RATE: "fast" }, /^RATE is "fast"; expected a whole number from 1 to 10000$/],
  [{ STREAM_NAME: "s", KEYS: "0" }, /^KEYS is "0"/],
  [{ STREAM_NAME: "s", SKEW: "-1" }, /^SKEW is "-1"; expected a number from 0 to 5$/],
  [{ STREAM_NAME: "s", LOG_LEVEL: "loud" }, /^LOG_LEVEL is "loud"; expected one of/],
])("%j is refused in one line", (environment, message) => {
  expect(() => readProducerSettings(environment)).toThrow(message);
});
