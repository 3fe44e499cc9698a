/** The page's script: client/*.ts and what it imports as one, made when the server starts (some tens of milliseconds). */
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
  // No `</script>` and no comment can begin in it.
  return (outputFiles[0]?.text ?? "").replaceAll(/<(?=\/script|!--)/gi, "\\x3c");
}
