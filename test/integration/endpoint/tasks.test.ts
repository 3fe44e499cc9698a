import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  FilterLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DescribeServicesCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { endpointAdmin } from "../../../local/index.ts";
import { endpointConfig } from "../endpoint-setup.ts";
import { until } from "./until.ts";

const ecs = new ECSClient(endpointConfig());
const logs = new CloudWatchLogsClient(endpointConfig());
const admin = endpointAdmin(inject("endpointUrl"));
const cluster = "tasks-test";
const service = "sleepers";
const logGroupName = "/tasks-test";

beforeAll(async () => {
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "sleeper",
      networkMode: "awsvpc",
      requiresCompatibilities: ["FARGATE"],
      cpu: "256",
      memory: "512",
      containerDefinitions: [
        {
          name: "sleeper",
          image: "test/task:latest",
          environment: [{ name: "GREETING", value: "ahoy" }],
          logConfiguration: {
            logDriver: "awslogs",
            options: {
              "awslogs-group": logGroupName,
              "awslogs-region": "us-east-1",
              "awslogs-stream-prefix": "t",
            },
          },
        },
      ],
    }),
  );
  await ecs.send(
    new CreateServiceCommand({
      cluster,
      serviceName: service,
      taskDefinition: "sleeper",
      desiredCount: 2,
      launchType: "FARGATE",
      networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
    }),
  );
});

afterAll(() => scale(0).then(() => processesAre(0)));

const scale = (desiredCount: number) =>
  ecs.send(new UpdateServiceCommand({ cluster, service, desiredCount }));
const processesAre = (count: number) =>
  until(`${count} processes`, async () => {
    const processes = await admin.processes();
    return processes.length === count ? processes : undefined;
  });
const logged = async () =>
  (await logs.send(new FilterLogEventsCommand({ logGroupName }))).events?.map(
    (event) => event.message ?? "",
  ) ?? [];

describe("an ECS service", () => {
  test("runs real processes, which are told where the endpoint is and whose output goes to CloudWatch Logs", async () => {
    const processes = await processesAre(2);
    for (const { pid, image, taskArn } of processes) {
      expect(process.kill(pid, 0)).toBe(true);
      expect(image).toContain("test/task");
      expect(taskArn).toContain(`task/${cluster}/`);
    }
    const first = await until("a line of output", async () => (await logged())[0]);
    expect(JSON.parse(first)).toEqual({
      AWS_ENDPOINT_URL: inject("endpointUrl"),
      AWS_SDK_UA_APP_ID: "sleeper",
      GREETING: "ahoy",
      ECS_CONTAINER_METADATA_URI_V4: expect.stringContaining(`${inject("endpointUrl")}/v4/`),
    });
    await until("a steady service", async () => {
      const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
      return services?.[0]?.runningCount === 2;
    });
  });

  test("replaces a killed process", async () => {
    const [victim, other] = await processesAre(2);
    await admin.signal(victim!.id, "SIGKILL");
    const after = await until("a replacement", async () => {
      const processes = await admin.processes();
      return processes.length === 2 && processes.every(({ id }) => id !== victim!.id) ? processes : undefined;
    });
    expect(after.map(({ id }) => id)).toContain(other!.id);
  });

  test("scaled in, stops a process with SIGTERM", async () => {
    // The replacement from the previous test must be up to get the signal.
    await until(
      "three greetings",
      async () => (await logged()).filter((line) => line.includes("ahoy")).length === 3,
    );
    await scale(1);
    await processesAre(1);
    await until("the goodbye", async () => (await logged()).includes("told to stop"));
  });
});
