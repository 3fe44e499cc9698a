/** The processes of the test: workers of both kinds and the producer, each with its output in files. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectRoot, runtimeFolder } from "../../local/settings.ts";
import { isolatedEnvironment } from "../../local/tool-environment.ts";
import { CONSUMER_ENVIRONMENT, PRODUCER_ENVIRONMENT } from "../../services/contract/environment.ts";
import type { Rig } from "./rig.ts";

export const FAILOVER_MILLIS = 4_000;
const CHECKPOINT_INTERVAL_MILLIS = 2_000;
/** Small enough for a shared machine, large enough that KCL never fills it here. */
const HEAP = "-Xmx256m";

const javaFolder = fileURLToPath(new URL("java", import.meta.url));

/** Undefined: both are installed. */
export function missingTools(): string | undefined {
  const missing = ["java", "mvn"].filter((name) => spawnSync(name, ["-version"]).status !== 0);
  if (missing.length === 0) return undefined;
  return `${missing.join(" and ")} not found: install a JDK 17 and Maven 3 to run the interop test`;
}

/** Maven downloads KCL on the first run. @throws with Maven's own output */
export function buildJavaWorker(kclVersion: string): void {
  const built = spawnSync("mvn", ["-q", "-B", `-Dkcl.version=${kclVersion}`, "package"], {
    cwd: javaFolder,
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`mvn package failed:\n${built.stdout}\n${built.stderr}`);
}

export class Program {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #problemsFile: string;
  readonly #exit: Promise<unknown>;

  constructor(rig: Rig, name: string, command: string, args: string[], environment: Record<string, string>) {
    this.name = name;
    this.#problemsFile = join(rig.folder, `${name}.log`);
    // Java prints its history on stdout; evenkeel and the producer write theirs into the history folder
    // themselves.
    const isJava = command === "java";
    const outFile = isJava ? join(rig.historyFolder, `${name}.jsonl`) : this.#problemsFile;
    const out = openSync(outFile, "a");
    const problems = openSync(this.#problemsFile, "a");
    this.#child = spawn(command, args, {
      cwd: projectRoot(),
      env: {
        ...isolatedEnvironment(process.env),
        ...rig.endpoint.environment,
        AWS_SDK_UA_APP_ID: name,
        ...environment,
      },
      stdio: ["ignore", out, problems],
    });
    closeSync(out);
    closeSync(problems);
    this.#exit = once(this.#child, "exit");
    rig.programs.add(this);
    void this.#exit.then(() => rig.programs.delete(this));
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Its stderr (for evenkeel and the producer, also their logs). */
  log(): string {
    return readFileSync(this.#problemsFile, "utf8");
  }

  /** Sends SIGTERM. @returns the time until it ended, in milliseconds */
  async stop(): Promise<number> {
    const start = performance.now();
    this.#child.kill("SIGTERM");
    if (!this.hasEnded) await this.#exit;
    return Math.round(performance.now() - start);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

export function startJava(rig: Rig, workerId: string): Program {
  const target = join(javaFolder, "target", rig.kclVersion);
  const classPath = [join(target, "worker.jar"), join(target, "lib/*")].join(delimiter);
  const flags = [
    HEAP,
    "-Daws.cborEnabled=false",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    // KCL 3's leader logs for every pass how many leases it found.
    "-Dorg.slf4j.simpleLogger.log.software.amazon.kinesis.coordinator.assignment=info",
  ];
  return new Program(rig, workerId, "java", [...flags, "-cp", classPath, "evenkeel.interop.Worker"], {
    STREAM_NAME: rig.streamName,
    APPLICATION_NAME: rig.tableName,
    WORKER_ID: workerId,
    FAILOVER_TIME_MILLIS: String(FAILOVER_MILLIS),
    CHECKPOINT_INTERVAL_MILLIS: String(CHECKPOINT_INTERVAL_MILLIS),
  });
}

const bundle = (name: string) => join(runtimeFolder(), "build", `${name}.mjs`);

export function startEvenkeel(rig: Rig, workerId: string, leaseRenewal: "worker" | "lease"): Program {
  const NAMES = CONSUMER_ENVIRONMENT;
  return new Program(rig, workerId, process.execPath, [bundle("consumer")], {
    [NAMES.applicationName]: rig.tableName,
    [NAMES.streamName]: rig.streamName,
    [NAMES.workerId]: workerId,
    [NAMES.failoverTimeMillis]: String(FAILOVER_MILLIS),
    [NAMES.checkpointIntervalMillis]: String(CHECKPOINT_INTERVAL_MILLIS),
    [NAMES.leaseRenewal]: leaseRenewal,
    [NAMES.metricsLevel]: "none",
    [NAMES.historyDirectory]: rig.historyFolder,
  });
}

export function startProducer(rig: Rig): Program {
  const NAMES = PRODUCER_ENVIRONMENT;
  return new Program(rig, "producer", process.execPath, [bundle("producer")], {
    [NAMES.streamName]: rig.streamName,
    [NAMES.rate]: "40",
    [NAMES.keys]: "64",
    [NAMES.historyDirectory]: rig.historyFolder,
  });
}
