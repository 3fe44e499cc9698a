/**
 * Environment and client settings for AWS tools, SDK clients and child processes that use an endpoint in
 * place of AWS. The user's own AWS and proxy settings are kept out: they are for real AWS, and would break
 * calls or send them elsewhere.
 */
import { mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectRoot, runtimeFolder } from "./settings.ts";

export const REGION = "us-east-1";
export const TEST_CREDENTIALS: EndpointCredentials = { accessKeyId: "test", secretAccessKey: "test" };

export interface EndpointCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Keeps AWS tools and SDKs from settings outside the environment: the files in `~/.aws`, and a machine's
 * role.
 */
const NOTHING_ELSEWHERE = {
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  // The SDK's warning about Node versions is meant for developers.
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
};

/**
 * Variables that a program needs to run at all: paths of programs and temporary files, language, terminal.
 */
const KEPT =
  /^(PATH|USER|LOGNAME|SHELL|TMPDIR|TMP|TEMP|TZ|LANG|LANGUAGE|LC_\w+|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH)$/;

/**
 * The user's environment without their settings. It is an allowlist, because SDKs add new variables. HOME is
 * a folder of the project, for files that tools read there: `.aws`, `.cdk.json`, `.netrc`, `.npmrc`, Python
 * packages.
 */
export function isolatedEnvironment(environment: Variables, root = projectRoot()): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && KEPT.test(entry[0]),
  );
  const home = join(runtimeFolder(root), "home");
  mkdirSync(home, { recursive: true });
  return { ...Object.fromEntries(kept), HOME: home, ...NOTHING_ELSEWHERE };
}

export interface EndpointAddress {
  readonly url: string;
  readonly region?: string;
  readonly credentials?: EndpointCredentials;
}

/** The variables that name an endpoint, for a process without the user's variables. */
export function endpointVariables({
  url,
  region = REGION,
  credentials = TEST_CREDENTIALS,
}: EndpointAddress): Record<string, string> {
  const ours = {
    ...NOTHING_ELSEWHERE,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...(credentials.sessionToken !== undefined && { AWS_SESSION_TOKEN: credentials.sessionToken }),
  };
  return {
    ...ours,
    AWS_ENDPOINT_URL: url,
    // Without the next variable, cdklocal looks up a name on the internet. It also deletes all variables not
    // listed in the last one.
    AWS_ENDPOINT_URL_S3: url,
    AWS_ENVAR_ALLOWLIST: Object.keys(ours).join(","),
  };
}

/**
 * Variables that make AWS tools and SDKs use the endpoint in a user's own shell: `cdklocal`, `cdk`,
 * `awslocal`, `aws`, scripts. The project's tools come first on PATH. Two of the variables stop the CDK CLI's
 * telemetry and its check for newer versions. `strayVariables` lists what to unset in that shell.
 */
export function toolEnvironment(
  address: EndpointAddress,
  { environment = process.env, root = projectRoot() }: { environment?: Variables; root?: string } = {},
): Record<string, string> {
  const tools = [join(root, "node_modules/.bin"), join(runtimeFolder(root), "python/bin")];
  const path = (environment.PATH ?? "").split(delimiter);
  const direct = withoutProxy(environment.NO_PROXY ?? environment.no_proxy, new URL(address.url).hostname);
  return {
    ...endpointVariables(address),
    AWS_PAGER: "",
    CDK_DEFAULT_ACCOUNT: "000000000000",
    CDK_DEFAULT_REGION: address.region ?? REGION,
    CDK_DISABLE_CLI_TELEMETRY: "true",
    CDK_DISABLE_VERSION_CHECK: "1",
    // awslocal advertises its successor, a closed binary, in twelve lines before every answer.
    DISABLE_DEPRECATION_NOTICE: "1",
    JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION: "1",
    NO_PROXY: direct,
    no_proxy: direct,
    PATH: [...tools, ...path.filter((part) => part !== "" && !tools.includes(part))].join(delimiter),
  };
}

/** Keeps the user's internet proxy, but bypasses it for the endpoint. */
function withoutProxy(given: string | undefined, host: string): string {
  const hosts = (given ?? "").split(",").map((part) => part.trim());
  return [...new Set([...hosts.filter((part) => part !== ""), host, "localhost", "127.0.0.1"])].join(",");
}

/**
 * Profiles, tokens, FIPS, other endpoints, retry modes, and LocalStack's own names, which cdklocal and
 * awslocal read.
 */
const STRAY = /^(AWS_\w+|BOTO_\w+|LOCALSTACK_\w+|EDGE_PORT|USE_SSL)$/;

/** Variables of a user's shell that would direct AWS tools elsewhere even after `set` is applied. */
export const strayVariables = (environment: Variables, set: Variables): string[] =>
  Object.keys(environment)
    .filter((name) => STRAY.test(name) && !(name in set))
    .toSorted();

/**
 * SDK client settings for an endpoint. Every setting that the SDK would otherwise read from the environment
 * or from `~/.aws` is given here. FIPS and dual-stack settings do not allow a custom endpoint, and retry
 * modes change timing.
 */
export const endpointClientConfig = ({
  url,
  region = REGION,
  credentials = TEST_CREDENTIALS,
}: EndpointAddress) => ({
  endpoint: url,
  region,
  credentials,
  useFipsEndpoint: false,
  useDualstackEndpoint: false,
  retryMode: "standard",
  maxAttempts: 3,
  defaultsMode: "legacy" as const,
  endpointDiscoveryEnabled: false,
  accountIdEndpointMode: "disabled" as const,
  authSchemePreference: [],
  disableRequestCompression: false,
  requestMinCompressionSizeBytes: 10_240, // the SDK's default
  userAgentAppId: "", // the caller's name in the endpoint's counts: none
});
