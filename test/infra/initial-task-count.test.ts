import { describe, expect, test } from "vitest";
import { type CountEvent, makeCountHandler } from "../../infra/handlers/initial-task-count.ts";

const properties = { Cluster: "cluster", Service: "consumers", Count: "3" };
const event = (RequestType: CountEvent["RequestType"], rest: Partial<CountEvent> = {}): CountEvent => ({
  RequestType,
  ResponseURL: "https://answer.example",
  StackId: "stack",
  RequestId: "request",
  LogicalResourceId: "Count",
  ResourceProperties: properties,
  ...rest,
});

async function invoke(given: CountEvent, refusal?: Error) {
  const counts: unknown[] = [];
  const answers: { url: string; body: Record<string, unknown> }[] = [];
  await makeCountHandler({
    async setDesiredCount(...count) {
      counts.push(count);
      if (refusal) throw refusal;
    },
    async respond(url, body) {
      answers.push({ url, body: JSON.parse(body) });
    },
  })(given);
  return { counts, answers };
}

describe("the first number of tasks", () => {
  test("is set when the service is new", async () => {
    const { counts, answers } = await invoke(event("Create"));
    expect(counts).toEqual([["cluster", "consumers", 3]]);
    expect(answers).toEqual([
      {
        url: "https://answer.example",
        body: {
          Status: "SUCCESS",
          StackId: "stack",
          RequestId: "request",
          LogicalResourceId: "Count",
          PhysicalResourceId: "consumers",
        },
      },
    ]);
  });

  test("is set for a service that was replaced", async () => {
    const OldResourceProperties = { ...properties, Service: "before" };
    expect((await invoke(event("Update", { OldResourceProperties }))).counts).toHaveLength(1);
  });

  test("is never set again, whatever count a later deployment names, nor at the end", async () => {
    const OldResourceProperties = { ...properties, Count: "7" };
    for (const given of [event("Update", { OldResourceProperties }), event("Delete")]) {
      const { counts, answers } = await invoke(given);
      expect(counts).toEqual([]);
      expect(answers).toMatchObject([{ body: { Status: "SUCCESS", PhysicalResourceId: "consumers" } }]);
    }
  });

  test("that is refused fails the deployment with its reason", async () => {
    const { answers } = await invoke(event("Create"), new Error("AccessDenied"));
    expect(answers).toMatchObject([
      { body: { Status: "FAILED", Reason: "consumers did not get its 3 tasks: Error: AccessDenied" } },
    ]);
  });
});
