import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, test } from "vitest";
import { AWS, EMULATED, makeStack } from "./synthesize.ts";

interface ValidationReport {
  readonly pluginReports: readonly {
    readonly pluginName: string;
    readonly violations: readonly {
      readonly ruleName: string;
      readonly violatingConstructs: readonly { readonly constructPath: string }[];
    }[];
  }[];
}

/** The findings that no construct acknowledges, as `rule at path`. CDK refuses to synthesize when there are any. */
function findings(app: App): string[] {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  let refusal: unknown;
  try {
    app.synth();
  } catch (error) {
    refusal = error;
  }
  const report: ValidationReport = JSON.parse(
    readFileSync(join(app.outdir, "validation-report.json"), "utf8"),
  );
  const plugin = report.pluginReports.find(({ pluginName }) => pluginName === "AwsSolutions");
  const found = (plugin?.violations ?? []).flatMap(({ ruleName, violatingConstructs }) =>
    violatingConstructs.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
  );
  // What is thrown for another reason than findings is a failure of its own.
  if (refusal !== undefined && found.length === 0) throw refusal;
  return found;
}

describe("cdk-nag, AWS Solutions", () => {
  test.each([
    ["AWS", AWS],
    ["an emulator", EMULATED],
  ])("has no finding without a justification, on %s", (_, environment) => {
    expect(findings(makeStack(environment).app)).toEqual([]);
  });

  test("would report a finding that is not justified", async () => {
    const { app, stack } = makeStack(EMULATED);
    const { Topic } = await import("aws-cdk-lib/aws-sns");
    new Topic(stack, "Careless");
    expect(findings(app)).toEqual(["AwsSolutions-SNS3 at Evenkeel/Careless/Resource"]);
  });
});
