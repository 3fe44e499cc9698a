/**
 * The history files of processes on this machine, per application and target. Two fleets of the same name,
 * one on the embedded endpoint and one on a LocalStack, must not be measured as one.
 */
import { readdirSync } from "node:fs";
import { historyFolder } from "../project.ts";
import type { Target } from "./target.ts";

/**
 * Where `producer` and `consumer` started by hand write their history; on the embedded endpoint, its tasks
 * too. Created if missing.
 */
export const historyFolderAt = (target: Target, application: string): string =>
  historyFolder(historyName(target, application));

/** Pure. */
export function historyName(target: Target, application: string): string {
  if (target.kind === "embedded") return application;
  const place = target.endpointUrl === undefined ? `aws-${target.region}` : new URL(target.endpointUrl).host;
  return `${application}@${place.replaceAll(/[^\w.-]/g, "-")}`;
}

/**
 * The folder, if it contains a history of this fleet. On the embedded endpoint every task writes there.
 * Elsewhere tasks write to their logs; only processes started by hand in this clone write files. Undefined if
 * none did.
 */
export function writtenHistory(target: Target, application: string): string | undefined {
  if (target.kind === "aws") return undefined;
  const folder = historyFolderAt(target, application);
  if (target.kind === "embedded") return folder;
  return readdirSync(folder).some((name) => name.endsWith(".jsonl")) ? folder : undefined;
}
