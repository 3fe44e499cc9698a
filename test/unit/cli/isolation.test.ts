/**
 * Hostile AWS and proxy settings of the user, against the lab's clients and the environment of its child
 * processes.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { ListMetricsCommand } from "@aws-sdk/client-cloudwatch";
import { ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { ListClustersCommand } from "@aws-sdk/client-ecs";
import { ListStreamsCommand } from "@aws-sdk/client-kinesis";
import { ListStateMachinesCommand } from "@aws-sdk/client-sfn";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Clients, clientsFor } from "../../../lab/aws/clients.ts";
import { childEnvironment, chooseTarget, embeddedTarget } from "../../../lab/aws/target.ts";
import { shellLines } from "../../../lab/cli/commands/env.ts";
import { inProject } from "../../../lab/project.ts";
import { isolatedEnvironment, strayVariables, toolEnvironment } from "../../../local/index.ts";

/**
 * Every variable that the installed SDK's sources name. Variables of later versions are found when those are
 * installed.
 */
function variablesOfTheSdk(): string[] {
  const found = new Set<string>();
  for (const scope of ["@aws-sdk", "@smithy"])
    for (const file of readdirSync(inProject("node_modules", scope), { recursive: true, encoding: "utf8" })) {
      if (!/dist-cjs\/.*\.js$/.test(file)) continue;
      const source = readFileSync(inProject("node_modules", scope, file), "utf8");
      for (const [name] of source.matchAll(/\bAWS_[A-Z][A-Z0-9_]+\b/g)) found.add(name);
    }
  return [...found];
}

let server: Server;
let url: string;
let folder: string;
const requests: { readonly host: string; readonly authorization: string; readonly path: string }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const { host = "", authorization = "" } = request.headers;
    requests.push({ host, authorization, path: request.url ?? "" });
    response.writeHead(400).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = mkdtempSync(join(tmpdir(), "evenkeel-isolation-"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  server.close();
});
beforeEach(() => {
  vi.unstubAllEnvs();
  requests.length = 0;
});

const CALLS: Readonly<Record<string, (clients: Clients) => Promise<unknown>>> = {
  cloudFormation: ({ cloudFormation }) => cloudFormation.send(new DescribeStacksCommand({})),
  cloudWatch: ({ cloudWatch }) => cloudWatch.send(new ListMetricsCommand({})),
  dynamoDb: ({ dynamoDb }) => dynamoDb.send(new ListTablesCommand({})),
  ecs: ({ ecs }) => ecs.send(new ListClustersCommand({})),
  kinesis: ({ kinesis }) => kinesis.send(new ListStreamsCommand({})),
  stepFunctions: ({ stepFunctions }) => stepFunctions.send(new ListStateMachinesCommand({})),
  sts: ({ sts }) => sts.send(new GetCallerIdentityCommand({})),
};

async function expectAllToArrive(): Promise<void> {
  const clients = clientsFor(embeddedTarget(url));
  const own = new Set<unknown>(Object.keys(CALLS));
  for (const [name, call] of Object.entries(CALLS)) {
    const outcome = await call(clients).catch((error: Error) => String(error));
    // The server refuses it, which is its first and only answer: the call reached the server.
    expect(requests.splice(0), `${name}: ${outcome}`).toEqual([
      {
        host: new URL(url).host,
        path: "/",
        authorization: expect.stringMatching(/Credential=test\/\d+\/us-east-1\//),
      },
    ]);
  }
  const made = Object.keys(Object.getOwnPropertyDescriptors(clients)).filter((name) => own.has(name));
  expect(made).toHaveLength(Object.keys(clients).length - 2); // target and close are no clients
  clients.close();
}

/** Settings that the client resolves when they are first needed. */
const LOOKED_UP = [
  "accountIdEndpointMode",
  "authSchemePreference",
  "defaultsMode",
  "disableRequestCompression",
  "endpointDiscoveryEnabled",
  "maxAttempts",
  "region",
  "requestMinCompressionSizeBytes",
  "retryMode",
  "sigv4aSigningRegionSet",
  "useDualstackEndpoint",
  "useFipsEndpoint",
  "userAgentAppId",
];

async function settingsOf(config: object): Promise<Record<string, unknown>> {
  const values = Object.entries(config).filter(([name]) => LOOKED_UP.includes(name));
  return Object.fromEntries(
    await Promise.all(
      values.map(async ([name, value]) => {
        const found = typeof value === "function" ? Promise.resolve().then(() => value()) : value;
        return [name, await Promise.resolve(found).catch(String)] as const;
      }),
    ),
  );
}

describe("the lab's own clients reach the endpoint", () => {
  it.each(["kinesis", "dynamoDb", "cloudWatch"] as const)(
    "%s is set up as it is without any variable",
    async (name) => {
      const clean = clientsFor(embeddedTarget(url));
      for (const variable of variablesOfTheSdk()) vi.stubEnv(variable, undefined);
      vi.stubEnv("AWS_CONFIG_FILE", "/dev/null");
      const expected = await settingsOf(clean[name].config);
      expect(Object.keys(expected).length).toBeGreaterThan(6);
      for (const value of ["true", "nonsense", "7", "required", "adaptive"]) {
        for (const variable of variablesOfTheSdk()) vi.stubEnv(variable, value);
        const hostile = clientsFor(embeddedTarget(url));
        expect(await settingsOf(hostile[name].config), value).toEqual(expected);
        hostile.close();
      }
      clean.close();
    },
  );

  it("knows the SDK's variables", () => {
    expect(variablesOfTheSdk()).toEqual(
      expect.arrayContaining([
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_MAX_ATTEMPTS",
        "AWS_ENDPOINT_URL",
        "AWS_PROFILE",
      ]),
    );
  });

  it.each(["true", "1", "required", "nonsense", "http://127.0.0.1:1", "/nonexistent"])(
    "with every AWS variable set to %s",
    async (value) => {
      for (const name of variablesOfTheSdk()) vi.stubEnv(name, value);
      await expectAllToArrive();
    },
  );

  it.each([
    ["region = us-gov-west-1", "use_fips_endpoint = true"],
    ["endpoint_url = http://127.0.0.1:1", "use_dualstack_endpoint = true"],
    [
      "retry_mode = nonsense",
      "max_attempts = 1",
      "defaults_mode = nonsense",
      "account_id_endpoint_mode = required",
    ],
    ["sso_session = work", "role_arn = arn:aws:iam::1:role/a", "credential_process = false"],
  ])("with %s, %s … in the user's config file", async (...lines) => {
    const file = join(folder, `config-${lines[0]!.length}-${lines.length}`);
    writeFileSync(file, ["[default]", ...lines, "[profile work]", ...lines, ""].join("\n"));
    for (const profile of ["default", "work", "missing"]) {
      vi.stubEnv("AWS_CONFIG_FILE", file);
      vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file);
      vi.stubEnv("AWS_PROFILE", profile);
      await expectAllToArrive();
    }
  });

  it("behind a proxy that is not there", async () => {
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"])
      vi.stubEnv(name, "http://127.0.0.1:1");
    await expectAllToArrive();
  });
});

const HOSTILE = {
  PATH: "/bin",
  HOME: "/home/somebody",
  LANG: "en_GB.UTF-8",
  HTTP_PROXY: "http://proxy:3128",
  https_proxy: "http://proxy:3128",
  NO_PROXY: "intranet",
  NODE_EXTRA_CA_CERTS: "/nonexistent.pem",
  NODE_OPTIONS: "--require /nonexistent.js",
  AWS_PROFILE: "production",
  AWS_DEFAULT_PROFILE: "production",
  AWS_USE_FIPS_ENDPOINT: "true",
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true",
  AWS_ENDPOINT_URL_KINESIS: "https://elsewhere.example",
  AWS_CA_BUNDLE: "/nonexistent.pem",
  AWS_ACCESS_KEY_ID: "AKIAREAL",
  AWS_SESSION_TOKEN: "secret",
  AWS_WEB_IDENTITY_TOKEN_FILE: "/nonexistent",
  LOCALSTACK_HOST: "elsewhere:4566",
  USE_SSL: "1",
  PYTHONPATH: "/nonexistent",
  DOCKER_HOST: "tcp://elsewhere",
};

describe("children of the lab", () => {
  it("get what a program needs to run, and an empty home", () => {
    const environment = isolatedEnvironment(HOSTILE);
    expect(environment).toEqual({
      PATH: "/bin",
      LANG: "en_GB.UTF-8",
      HOME: inProject(".evenkeel", "home"),
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    });
    expect(readdirSync(environment.HOME!).filter((name) => name.startsWith(".aws"))).toEqual([]);
  });

  it("of another endpoint get the credentials and the region that the environment names for it, no more", () => {
    const target = chooseTarget({
      aws: false,
      environment: {
        ...HOSTILE,
        AWS_ENDPOINT_URL: "http://localstack:4566",
        AWS_REGION: "eu-west-1",
        AWS_SECRET_ACCESS_KEY: "key",
      },
    });
    if (target === "running-endpoint") throw new Error("AWS_ENDPOINT_URL is set");
    const { HOME: _, ...environment } = childEnvironment(target, HOSTILE);
    expect(environment).toMatchObject({
      AWS_ENDPOINT_URL: "http://localstack:4566",
      AWS_ENDPOINT_URL_S3: "http://localstack:4566",
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "AKIAREAL",
      AWS_SECRET_ACCESS_KEY: "key",
      AWS_SESSION_TOKEN: "secret",
    });
    for (const name of ["AWS_PROFILE", "AWS_USE_FIPS_ENDPOINT", "HTTP_PROXY", "NODE_OPTIONS"])
      expect(environment).not.toHaveProperty(name);
  });
});

describe("the lines for a user's shell", () => {
  const set = toolEnvironment({ url: "http://127.0.0.1:4566" }, { environment: HOSTILE });

  it("put the endpoint past the proxy, which stays for everything else", () => {
    expect(set.NO_PROXY).toBe("intranet,127.0.0.1,localhost");
    expect(set.no_proxy).toBe(set.NO_PROXY);
    expect(set).not.toHaveProperty("HTTP_PROXY");
  });

  it("take away whatever would lead elsewhere, and nothing else", () => {
    const stray = strayVariables(HOSTILE, set);
    expect(stray).toEqual([
      "AWS_CA_BUNDLE",
      "AWS_DEFAULT_PROFILE",
      "AWS_ENDPOINT_URL_KINESIS",
      "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
      "AWS_PROFILE",
      "AWS_SESSION_TOKEN",
      "AWS_USE_FIPS_ENDPOINT",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
      "LOCALSTACK_HOST",
      "USE_SSL",
    ]);
    expect(shellLines({ A: "1" }, stray).at(-1)).toBe(`unset ${stray.join(" ")}`);
    expect(shellLines({ A: "1" }, [])).toEqual(["export A='1'"]);
  });
});
