import { App } from "aws-cdk-lib";
import { SettingsError } from "../services/contract/settings-reader.ts";
import { EvenkeelStack } from "./evenkeel-stack.ts";
import { FEATURE_FLAGS } from "./feature-flags.ts";
import { readSettings, stackName } from "./settings.ts";

// CDK checks every template against CloudFormation's rules. That is seconds of WebAssembly, which a
// deployment to an emulator does not need.
if (process.env.AWS_ENDPOINT_URL) process.env.CDK_VALIDATION ??= "false";

const app = new App({ postCliContext: FEATURE_FLAGS });
try {
  const settings = readSettings(app.node.getAllContext(), process.env);
  // Not bound to an account or region: the same template serves the embedded endpoint, LocalStack and AWS.
  new EvenkeelStack(app, stackName(settings.application), settings);
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(`evenkeel stack: ${error.message}`);
  process.exit(2);
}
