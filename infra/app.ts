import { App } from "aws-cdk-lib";
import { SettingsError } from "../services/contract/settings-reader.ts";
import { EvenkeelStack } from "./evenkeel-stack.ts";
import { FEATURE_FLAGS } from "./feature-flags.ts";
import { readSettings, stackName } from "./settings.ts";

// CDK checks every template with CloudFormation's rules: seconds of WebAssembly that an emulator's deployment can do without.
if (process.env.AWS_ENDPOINT_URL) process.env.CDK_VALIDATION ??= "false";

const app = new App({ postCliContext: FEATURE_FLAGS });
try {
  const settings = readSettings(app.node.getAllContext(), process.env);
  // Not bound to an account or region: the same template for the embedded endpoint, LocalStack and AWS.
  new EvenkeelStack(app, stackName(settings.application), settings);
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(`evenkeel stack: ${error.message}`);
  process.exit(2);
}
