/** `evenkeel down` on the rest of a failed deployment: a stack with some of its resources and no outputs. */
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
} from "@aws-sdk/client-cloudformation";
import { DescribeStreamSummaryCommand, KinesisClient } from "@aws-sdk/client-kinesis";
import { expect, inject, it } from "vitest";
import { inProject } from "../../lab/project.ts";
import { run } from "./endpoint/run.ts";
import { endpointConfig } from "./endpoint-setup.ts";

const cloudFormation = new CloudFormationClient(endpointConfig());
const kinesis = new KinesisClient(endpointConfig());
const StackName = "Halfmade";
const StreamName = "half-made";

const evenkeel = (command: string) =>
  run(process.execPath, [inProject("lab/bin/evenkeel.mjs"), command, "--application", "halfmade"], {
    PATH: process.env.PATH ?? "",
    AWS_ENDPOINT_URL: inject("endpointUrl"),
  });

it("a half-made stack is told as such, and taken down; another one's endpoint goes on", async () => {
  const Stream = { Type: "AWS::Kinesis::Stream", Properties: { Name: StreamName, ShardCount: 1 } };
  const TemplateBody = JSON.stringify({ Resources: { Stream } });
  await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody }));
  await waitUntilStackCreateComplete(
    { client: cloudFormation, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
    { StackName },
  );
  await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }));
  for (const command of ["verify-stream", "experiment"])
    expect(await evenkeel(command)).toMatchObject({
      exitCode: 1,
      err: expect.stringMatching(/error: stack Halfmade .* has no output StreamName/),
    });

  expect(await evenkeel("down")).toMatchObject({ exitCode: 0, out: "all down\n" });
  await expect(kinesis.send(new DescribeStreamSummaryCommand({ StreamName }))).rejects.toThrow();
  const gone = await cloudFormation.send(new DescribeStacksCommand({ StackName })).then(
    ({ Stacks }) => Stacks?.[0]?.StackStatus,
    () => undefined,
  );
  expect([undefined, "DELETE_COMPLETE"]).toContain(gone);
  expect(await evenkeel("down")).toMatchObject({ exitCode: 0, out: "nothing is up\n" });
}, 120_000);
