import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  consumerEnvironment,
  effectiveSettings,
  limitOf,
  parsePodConfig,
  readPodConfig,
} from "../../../lab/aws/pod-config.ts";
import { CommandError } from "../../../lab/errors.ts";
import { inProject } from "../../../lab/project.ts";
import { readSettings } from "../../../services/consumer/settings.ts";
import { CONSUMER_ENVIRONMENT } from "../../../services/contract/environment.ts";
import { OPTION_BOUNDS } from "../../../src/defaults.ts";

const SEED = `
lease:
  EnableLeaseStealing: true
  LeaseStealing.StealingStrategy: EVEN_DISTRIBUTION
  MaxLeasesForWorker: "min(10, shards/pods)"
  ShardSyncIntervalMillis: 5000
`;

describe("a pod's configuration", () => {
  it("comes from the environment before the file before the default, and says so", () => {
    const settings = effectiveSettings(parsePodConfig(SEED, "pod.yaml"), { FAILOVER_TIME_MILLIS: "9000" });
    const of = (name: string) => settings.find((setting) => setting.name === name);
    expect(of("FailoverTimeMillis")).toMatchObject({ value: "9000", origin: "environment" });
    expect(of("ShardSyncIntervalMillis")).toMatchObject({ value: "5000", origin: "file" });
    expect(of("CheckpointIntervalMillis")).toMatchObject({ value: "5000", origin: "default" });
  });

  it("becomes the environment that the stack sets, too", () => {
    const settings = effectiveSettings(parsePodConfig(SEED, "pod.yaml"), {});
    expect(consumerEnvironment(settings)).toMatchObject({
      ENABLE_LEASE_STEALING: "true",
      MAX_LEASES_LIMIT: "10",
      SHARD_SYNC_INTERVAL_MILLIS: "5000",
    });
  });

  it("takes the limit out of the formula, from the file or the environment", () => {
    const file = parsePodConfig(
      'lease:\n  MaxLeasesForWorker: "min( 4 , NumShards / NumPODs )"\n',
      "pod.yaml",
    );
    expect(limitOf(effectiveSettings(file, {}))).toBe(4);
    expect(limitOf(effectiveSettings(file, { MAX_LEASES_LIMIT: "7" }))).toBe(7);
    expect(limitOf(effectiveSettings(new Map(), {}))).toBe(10);
  });

  it.each([
    ["lease", "FailoverTimeMillis", "failoverTimeMillis"],
    ["lease", "ShardSyncIntervalMillis", "shardSyncIntervalMillis"],
    ["reader", "IdleTimeBetweenReadsMillis", "idleTimeBetweenReadsMillis"],
    ["reader", "CheckpointIntervalMillis", "checkpointIntervalMillis"],
  ] as const)("%s.%s has the bounds that the consumer and the library have", (section, name, option) => {
    const { least, most } = OPTION_BOUNDS[option];
    const parse = (value: number) => parsePodConfig(`${section}:\n  ${name}: ${value}\n`, "pod.yaml");
    const read = (value: number) =>
      readSettings({
        [CONSUMER_ENVIRONMENT.applicationName]: "app",
        [CONSUMER_ENVIRONMENT.streamName]: "stream",
        [CONSUMER_ENVIRONMENT[option]]: String(value),
      })[option];
    for (const value of [least, most]) {
      expect(parse(value).get(name)).toBe(String(value));
      expect(read(value)).toBe(value);
    }
    expect(() => parse(most + 1)).toThrow(`from ${least} to ${most}`);
    expect(() => read(most + 1)).toThrow(`from ${least} to ${most}`);
    expect(() => parse(least - 1)).toThrow(`from ${least} to ${most}`);
  });

  it.each([
    ["lease:\n  EnableLeaseStealling: true", "did you mean lease.EnableLeaseStealing?"],
    ["leases:\n  EnableLeaseStealing: true", "did you mean lease?"],
    ["lease:\n  EnableLeaseStealing: maybe", 'is "maybe"; expected true or false'],
    ["lease:\n  ShardSyncIntervalMillis: 1.5", "expected milliseconds"],
    ['lease:\n  MaxLeasesForWorker: "max(10, shards)"', "min(10, shards/pods)"],
    ["lease: 5", "lease is 5; expected settings below it"],
    ["- a", "expected the sections worker, lease and reader"],
    ["lease: [", "is no YAML"],
  ])("%j is refused in one line that names it", (text, expected) => {
    expect.assertions(3);
    try {
      parsePodConfig(text, "pod.yaml");
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      expect(error.exitCode).toBe(2);
      expect(error.message).toContain(expected);
      expect(error.message).not.toContain("\n");
    }
  });
});

it("every file in config/ is valid, names its own pod, and shows its lease settings to `grep -A 5 lease`", () => {
  const files = readdirSync(inProject("config")).filter((name) => /^config-pod\d+\.yaml$/.test(name));
  expect(files).toHaveLength(5);
  for (const name of files) {
    const values = readPodConfig(join(inProject("config"), name));
    expect(values.get("WorkerId")).toBe(
      name.replace("config-", "").replace(".yaml", "").replace("pod", "pod-"),
    );
    expect([...values.keys()]).toEqual(
      expect.arrayContaining([
        "EnableLeaseStealing",
        "LeaseStealing.StealingStrategy",
        "MaxLeasesForWorker",
        "ShardSyncIntervalMillis",
      ]),
    );
  }
});
