import { delimiter, join } from "node:path";
import { projectRoot, runtimeFolder } from "./settings.ts";

export const REGION = "us-east-1";

/**
 * The variables that make AWS tools and SDKs use the endpoint at `url`: `cdklocal`, `cdk`, `awslocal`, `aws`, scripts.
 * `path` is the PATH to put the project's own tools in front of. cdklocal needs the S3 endpoint as well: without it
 * it looks a name up on the internet. The CDK CLI sends telemetry and looks for newer versions unless told not to.
 */
export function toolEnvironment(
  url: string,
  { path = process.env.PATH ?? "", root = projectRoot() }: { path?: string; root?: string } = {},
): Record<string, string> {
  const tools = [join(root, "node_modules/.bin"), join(runtimeFolder(root), "python/bin")];
  return {
    AWS_ENDPOINT_URL: url,
    AWS_ENDPOINT_URL_S3: url,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_PAGER: "",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    CDK_DEFAULT_ACCOUNT: "000000000000",
    CDK_DEFAULT_REGION: REGION,
    CDK_DISABLE_CLI_TELEMETRY: "true",
    CDK_DISABLE_VERSION_CHECK: "1",
    // awslocal advertises its successor, a closed binary, in twelve lines before every answer.
    DISABLE_DEPRECATION_NOTICE: "1",
    JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION: "1",
    PATH: [...tools, ...path.split(delimiter).filter((part) => part !== "" && !tools.includes(part))].join(
      delimiter,
    ),
  };
}
