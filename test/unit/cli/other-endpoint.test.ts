/**
 * An endpoint that is not evenkeel's and lacks parts of AWS, like LocalStack's free edition: each command
 * reports that in one line.
 */

import { rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientsFor } from "../../../lab/aws/clients.ts";
import { historyFolderAt, historyName, writtenHistory } from "../../../lab/aws/history.ts";
import { isNotOffered, notOfferedText } from "../../../lab/aws/not-offered.ts";
import { findDeployment } from "../../../lab/aws/outputs.ts";
import { chooseTarget, embeddedTarget, type Target } from "../../../lab/aws/target.ts";
import { consumersWanted, serviceCounts, setDesiredCount } from "../../../lab/aws/tasks.ts";
import { runningExecution } from "../../../lab/aws/workflow.ts";

/** LocalStack 4.14's answer, word for word. */
const NO_ECS = {
  __type: "InternalFailure",
  message:
    "The API for service ecs is either not included in your current license plan or has not yet been emulated by LocalStack.",
};
const OUTPUTS = ["StreamName", "LeaseTableName", "ClusterName", "ConsumerServiceName", "ProducerServiceName"]
  .concat(["StateMachineArn", "ResharderFunctionName", "DashboardName", "DeployedShards"])
  .map((name) => `<member><OutputKey>${name}</OutputKey><OutputValue>20</OutputValue></member>`);
const STACK = `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>Evenkeel</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>${OUTPUTS.join("")}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`;

let server: Server;
let target: Target;

beforeAll(async () => {
  server = createServer((request, response) => {
    const service = String(request.headers["x-amz-target"] ?? "");
    const json = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify(body));
    };
    if (service.includes("ContainerService")) return json(501, NO_ECS);
    if (service.startsWith("AWSStepFunctions"))
      return json(400, { __type: "StateMachineDoesNotExist", message: "State Machine Does Not Exist" });
    response.writeHead(200, { "content-type": "text/xml" });
    response.end(STACK);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const chosen = chooseTarget({ aws: false, environment: { AWS_ENDPOINT_URL: url } });
  if (chosen === "running-endpoint") throw new Error("an endpoint was named");
  target = chosen;
});
afterAll(() => {
  rmSync(historyFolderAt(target, "test"), { recursive: true, force: true });
  server.close();
});

describe("an endpoint without ECS", () => {
  it("deploys the stack, has no tasks, and says how workers are started there", async () => {
    const clients = clientsFor(target);
    try {
      const deployment = await findDeployment(clients, "evenkeel");
      if (deployment === undefined) throw new Error("the stack was not found");
      expect(await consumersWanted(clients, deployment)).toBeUndefined();
      const line = /no ECS cluster of this stack.*evenkeel consumer --pod 1/;
      await expect(serviceCounts(clients, deployment, "consumers")).rejects.toThrow(line);
      await expect(setDesiredCount(clients, deployment, "consumers", 2)).rejects.toThrow(line);
      await expect(runningExecution(clients, deployment)).rejects.toThrow(
        /no such state machine.*split-shard/,
      );
    } finally {
      clients.close();
    }
  });

  it("is told by the status 501, whatever the service", () => {
    const refused = Object.assign(new Error("not implemented."), { $metadata: { httpStatusCode: 501 } });
    expect(isNotOffered(refused)).toBe(true);
    expect(notOfferedText(refused)).toBe("this endpoint does not offer that: not implemented");
    expect(isNotOffered(Object.assign(new Error("busy"), { $metadata: { httpStatusCode: 503 } }))).toBe(
      false,
    );
    expect(isNotOffered(new Error("501"))).toBe(false);
  });
});

describe("history files of pods by hand", () => {
  it("are apart for each target: the same application may be deployed on two", () => {
    expect(historyName(embeddedTarget("http://127.0.0.1:4566"), "orders")).toBe("orders");
    const at = (endpointUrl: string) => historyName({ ...target, endpointUrl }, "orders");
    expect(at("http://127.0.0.1:4566")).toBe("orders@127.0.0.1-4566");
    expect(at("http://[::1]:4566")).toBe("orders@---1--4566");
    expect(historyName({ ...target, kind: "aws", endpointUrl: undefined }, "orders")).toBe(
      "orders@aws-us-east-1",
    );
  });

  it("are looked for only where they tell of the whole fleet", () => {
    expect(writtenHistory(target, "test")).toBeUndefined();
    writeFileSync(join(historyFolderAt(target, "test"), "pod-1.jsonl"), "");
    expect(writtenHistory(target, "test")).toBe(historyFolderAt(target, "test"));
    expect(writtenHistory({ ...target, kind: "aws", endpointUrl: undefined }, "test")).toBeUndefined();
  });
});
