import { describe, expect, test } from "vitest";
import { readSettings, stackName } from "../../infra/settings.ts";

const EMULATED = { AWS_ENDPOINT_URL: "http://127.0.0.1:4566" };
const read = (context: Record<string, unknown>, environment: Record<string, string> = EMULATED) =>
  readSettings(context, environment);

describe("context", () => {
  test("defaults are the seed's experiment", () => {
    expect(read({})).toEqual({
      shards: 20,
      pods: 3,
      producers: 1,
      application: "evenkeel",
      rate: 200,
      keys: 400,
      skew: 0,
      historyDirectory: undefined,
      history: "none",
      emulated: true,
    });
    expect(read({}, {}).emulated).toBe(false);
  });

  test("values come as strings from the command line", () => {
    expect(read({ shards: "4", pods: "0", producers: "0", skew: "1.2" })).toMatchObject({
      shards: 4,
      pods: 0,
      producers: 0,
      skew: 1.2,
    });
  });

  test.each([
    [
      { shards: "0" },
      'context shards is "0"; expected a whole number from 1 to 1000, for example -c shards=20',
    ],
    [{ shards: "twenty" }, 'context shards is "twenty"; expected a whole number from 1 to 1000'],
    [{ shards: "" }, 'context shards is ""; expected a whole number'],
    [{ pods: "-1" }, 'context pods is "-1"'],
    [{ producers: "2" }, 'context producers is "2"; expected a whole number from 0 to 1'],
    [{ skew: "NaN" }, 'context skew is "NaN"; expected a number from 0 to 5'],
    [{ application: "My App" }, 'context application is "My App"; expected at most 39 lower-case letters'],
    [{ historyDirectory: "out" }, 'context historyDirectory is "out"; expected an absolute path'],
    [{ history: "file" }, 'context history is "file"; expected none or log, for example -c history=log'],
    [{ history: "log", historyDirectory: "/tmp" }, "give one of them, not both"],
    [{ pod: "4" }, 'context "pod" is not known; expected shards, pods, producers, application'],
    [{ Shards: "4" }, 'context "Shards" is not known'],
    [{ "history-directory": "/tmp" }, 'context "history-directory" is not known'],
    [{ "": "4" }, 'context "" is not known'],
  ])("%j is refused in one line that says what to do", (context, message) => {
    expect(() => read(context)).toThrow(message);
  });

  test("a history folder on AWS would be written by nobody", () => {
    expect(() => read({ historyDirectory: "/tmp/history" }, {})).toThrow(/embedded endpoint only/);
  });

  test("the CDK's own context is none of ours", () => {
    const ofTheCdk = {
      "aws:cdk:enable-path-metadata": true,
      "@aws-cdk/core:enablePartitionLiterals": true,
      "availability-zones:account=1:region=us-east-1": ["us-east-1a"],
      "acknowledged-issue-numbers": [1],
    };
    expect(read(ofTheCdk)).toEqual(read({}));
  });

  test("the stack is called after the application", () => {
    expect(stackName("evenkeel")).toBe("Evenkeel");
    expect(stackName("orders-eu")).toBe("Orders-eu");
  });
});
