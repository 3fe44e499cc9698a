/** Removes the user's AWS settings: the campaign must not reach a real account by accident. */
export function closedEnvironment(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: "us-east-1",
    // The name under which the gateway counts the campaign's own calls: no fault applies to them.
    AWS_SDK_UA_APP_ID: "campaign",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  });
}
