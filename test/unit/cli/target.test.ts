import { describe, expect, it } from "vitest";
import { childEnvironment, chooseTarget, embeddedTarget } from "../../../lab/aws/target.ts";
import { exportLine } from "../../../lab/cli/commands/env.ts";

const choose = (aws: boolean, environment: Record<string, string>) => chooseTarget({ aws, environment });

describe("which AWS", () => {
  it("is the running embedded endpoint when nothing is said, whatever credentials lie about", () => {
    expect(choose(false, { AWS_PROFILE: "production", AWS_ACCESS_KEY_ID: "AKIA" })).toBe("running-endpoint");
  });

  it("is the endpoint that AWS_ENDPOINT_URL names", () => {
    expect(
      choose(false, { AWS_ENDPOINT_URL: "http://localhost:4566/", AWS_REGION: "eu-central-1" }),
    ).toMatchObject({
      kind: "endpoint",
      endpointUrl: "http://localhost:4566",
      region: "eu-central-1",
    });
  });

  it("is real AWS only with --aws", () => {
    expect(choose(true, { AWS_REGION: "eu-west-1" })).toMatchObject({ kind: "aws", endpointUrl: undefined });
  });

  it.each([
    [true, "http://localhost:4566", "give one of them"],
    [false, "https://kinesis.us-east-1.amazonaws.com", "is real AWS"],
    [false, "https://kinesis.us-east-1.api.aws", "is real AWS"],
    [false, "localhost", "no URL"],
  ])("--aws %s with AWS_ENDPOINT_URL=%s is refused", (aws, url, text) => {
    expect(() => choose(aws, { AWS_ENDPOINT_URL: url })).toThrow(text);
  });
});

describe("the environment of child processes", () => {
  const given = {
    PATH: "/bin",
    AWS_PROFILE: "production",
    AWS_SESSION_TOKEN: "secret",
    AWS_ENDPOINT_URL_KINESIS: "https://elsewhere.example",
    AWS_ACCESS_KEY_ID: "AKIAREAL",
  };

  it("leads to the target and nowhere else", () => {
    const environment = childEnvironment(embeddedTarget("http://127.0.0.1:4566"), given);
    expect(environment).toMatchObject({
      PATH: "/bin",
      AWS_ENDPOINT_URL: "http://127.0.0.1:4566",
      AWS_ENDPOINT_URL_S3: "http://127.0.0.1:4566",
      AWS_ACCESS_KEY_ID: "test",
    });
    expect(environment).not.toHaveProperty("AWS_PROFILE");
    expect(environment).not.toHaveProperty("AWS_SESSION_TOKEN");
    expect(environment).not.toHaveProperty("AWS_ENDPOINT_URL_KINESIS");
  });

  it("keeps the user's own on real AWS", () => {
    const target = chooseTarget({ aws: true, environment: { AWS_REGION: "eu-west-1" } });
    if (target === "running-endpoint") throw new Error("--aws must be real AWS");
    expect(childEnvironment(target, given)).toMatchObject({
      AWS_PROFILE: "production",
      AWS_REGION: "eu-west-1",
    });
  });
});

it("env lines survive any value in a POSIX shell", () => {
  expect(exportLine("A", "it's $HOME `x`")).toBe("export A='it'\\''s $HOME `x`'");
});
