/**
 * A user's two terminals: `npm run local` runs in one; the other knows only the lines of `npx evenkeel env`.
 * Every tool starts in the environment of a user of real AWS, which a shell has changed by those lines.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inProject, inRuntime } from "../../lab/project.ts";
import { endpointAdmin, freePorts } from "../../local/index.ts";
import { familyOf, living } from "../integration/endpoint/processes.ts";
import { type Outcome, run } from "../integration/endpoint/run.ts";
import { until } from "../integration/endpoint/until.ts";

const COMMAND_LINE = inProject("lab/bin/evenkeel.mjs");
const OPTIONS_VARIABLE: typeof import("../../local/main.ts").OPTIONS_VARIABLE = "EVENKEEL_ENDPOINT_OPTIONS";

/** A user's settings for real AWS. Each of these alone breaks a tool or an SDK client that it reaches. */
const FOR_REAL_AWS = {
  AWS_PROFILE: "production",
  AWS_DEFAULT_PROFILE: "production",
  AWS_USE_FIPS_ENDPOINT: "true",
  AWS_USE_DUALSTACK_ENDPOINT: "true",
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true",
  AWS_ENDPOINT_URL_KINESIS: "http://127.0.0.1:1",
  AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:1",
  AWS_SESSION_TOKEN: "token",
  AWS_CA_BUNDLE: "/nonexistent.pem",
  AWS_MAX_ATTEMPTS: "1",
  AWS_WEB_IDENTITY_TOKEN_FILE: "/nonexistent",
  LOCALSTACK_HOST: "elsewhere.invalid:4566",
  HTTP_PROXY: "http://127.0.0.1:1",
  HTTPS_PROXY: "http://127.0.0.1:1",
  http_proxy: "http://127.0.0.1:1",
  https_proxy: "http://127.0.0.1:1",
};

/** A home whose `.aws` is for real AWS as well. */
function homeForRealAws(): string {
  const home = mkdtempSync(join(tmpdir(), "evenkeel-by-hand-"));
  mkdirSync(join(home, ".aws"));
  const settings = [
    "region = us-gov-west-1",
    "use_fips_endpoint = true",
    "endpoint_url = http://127.0.0.1:1",
  ];
  for (const file of ["config", "credentials"])
    writeFileSync(
      join(home, ".aws", file),
      ["[default]", ...settings, "[profile production]", ...settings, ""].join("\n"),
    );
  return home;
}

/** `npm run local` on free ports, not announced: the developer may have an endpoint of this clone running. */
async function npmRunLocal(home: string): Promise<{ terminal: ChildProcess; url: string }> {
  const options = {
    ports: await freePorts(),
    images: {},
    logFolder: inRuntime("logs/by-hand"),
    announce: false,
    detached: false,
  };
  const terminal = spawn("npm", ["run", "local"], {
    cwd: inProject(),
    detached: true, // a process group of its own, like a shell's foreground job
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...FOR_REAL_AWS, HOME: home, [OPTIONS_VARIABLE]: JSON.stringify(options) },
  });
  let text = "";
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [terminal.stdout, terminal.stderr])
      stream.on("data", (chunk: Buffer) => {
        text += chunk;
        const ready = /^AWS endpoint ready at (\S+) .*Ctrl-C stops it$/m.exec(text)?.[1];
        if (ready !== undefined) resolve(ready);
      });
    terminal.once("close", () => reject(new Error(`npm run local ended: ${text}`)));
  });
  return { terminal, url };
}

export class ByHand {
  readonly url: string;
  readonly #terminal: ChildProcess;
  readonly #home: string;
  /** What the user pastes: `eval "$(npx evenkeel env)"`. */
  readonly #lines: string;

  private constructor(place: { url: string; terminal: ChildProcess; home: string; lines: string }) {
    this.url = place.url;
    this.#terminal = place.terminal;
    this.#home = place.home;
    this.#lines = place.lines;
  }

  static async open(): Promise<ByHand> {
    const home = homeForRealAws();
    const { terminal, url } = await npmRunLocal(home);
    const { exitCode, out, err } = await run(process.execPath, [COMMAND_LINE, "env"], {
      ...FOR_REAL_AWS,
      HOME: home,
      PATH: process.env.PATH ?? "",
      AWS_ENDPOINT_URL: url,
    });
    if (exitCode !== 0 || err !== "") throw new Error(`evenkeel env ended with ${exitCode}: ${err}`);
    return new ByHand({ url, terminal, home, lines: out });
  }

  /** A folder that is removed together with this user. */
  folder(name: string): string {
    return join(this.#home, name);
  }

  tool(name: string, ...args: readonly string[]): Promise<Outcome> {
    return run("/bin/sh", ["-c", 'eval "$LINES"; unset LINES; exec "$@"', "sh", name, ...args], {
      ...FOR_REAL_AWS,
      HOME: this.#home,
      LINES: this.#lines,
    });
  }

  evenkeel(...args: readonly string[]): Promise<Outcome> {
    return this.tool(process.execPath, COMMAND_LINE, ...args);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the AWS CLI's answers, each read in one place.
  async awslocal(...args: readonly string[]): Promise<any> {
    const { exitCode, out, err } = await this.tool("awslocal", ...args, "--output", "json");
    if (exitCode !== 0) throw new Error(`awslocal ${args.join(" ")} ended with ${exitCode}: ${err}`);
    return out === "" ? undefined : JSON.parse(out);
  }

  /** The tasks of an ECS cluster, as processes of this machine. */
  async tasks(cluster: string) {
    const processes = await endpointAdmin(this.url).processes();
    return processes.filter(({ taskArn }) => taskArn?.includes(cluster));
  }

  /** Ctrl-C where `npm run local` runs. @returns what still runs after it, whatever was deployed */
  async ctrlC(): Promise<string[]> {
    rmSync(this.#home, { recursive: true, force: true });
    if (this.#terminal.exitCode !== null || this.#terminal.signalCode !== null) return [];
    const family = familyOf(this.#terminal.pid!);
    const closed = once(this.#terminal, "close");
    process.kill(-this.#terminal.pid!, "SIGINT");
    await closed;
    return until("the processes are gone", async () => living(family).length === 0).then(
      () => [],
      () => living(family),
    );
  }
}
