/**
 * The page's script: bundles client/*.ts and its imports when the server starts (takes some tens of
 * milliseconds).
 */
import { inProject } from "../../project.ts";

export async function clientScript(): Promise<string> {
  const esbuild = await import("esbuild");
  const { outputFiles } = await esbuild.build({
    absWorkingDir: inProject(),
    entryPoints: ["lab/monitor/web/client/main.ts"],
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    target: "es2022",
    minify: true,
    legalComments: "none",
    logLevel: "silent",
  });
  // The script must not contain `</script>` or the start of an HTML comment.
  return (outputFiles[0]?.text ?? "").replaceAll(/<(?=\/script|!--)/gi, "\\x3c");
}
