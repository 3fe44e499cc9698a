/** Nothing of the user's AWS settings reaches the campaign: it must not touch a real account by accident. */
export function closedEnvironment(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: "us-east-1",
    // The name under which the gateway knows the campaign's own calls: no fault is meant for it.
    AWS_SDK_UA_APP_ID: "campaign",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  });
}
