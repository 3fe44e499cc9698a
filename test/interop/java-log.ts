/**
 * Parses a Java worker's log: slf4j-simple's lines, `[thread] LEVEL logger - message`, with stack traces
 * below them.
 */

const ENTRY = /^\[[^\]]*\] (?:TRACE|DEBUG|INFO|WARN|ERROR) /m;

/**
 * One entry per message, with its stack trace. The text before the first message (the JVM's own) is an entry,
 * too.
 */
export function entriesOf(log: string): string[] {
  const entries: string[] = [];
  for (const line of log.split("\n")) {
    if (ENTRY.test(line) || entries.length === 0) entries.push(line);
    else entries.push(`${entries.pop()}\n${line}`);
  }
  return entries;
}

/** The clean-up of finished leases in KCL before 3.5, at a row of evenkeel's that did not move. */
const REMOVES_OURS =
  /Deleting lease Lease\(leaseKey=(evenkeel-[\w-]+),[^\n]* as it is not present in the stream/;

/** The keys of evenkeel's rows that Java has removed. */
export const removedOfOurs = (log: string): string[] =>
  entriesOf(log).flatMap((entry) => REMOVES_OURS.exec(entry)?.[1] ?? []);

/** The errors that a Java worker must not have beside evenkeel's rows, with where they happened. */
export const troubleIn = (log: string): string[] =>
  entriesOf(log).filter(
    (entry) => /\] ERROR |deserializ|NullPointer|Exception/.test(entry) && !REMOVES_OURS.test(entry),
  );

/** For each pass of KCL 3's leader, how many leases it found. */
export const leasesSeenByLeader = (log: string): number[] =>
  [...log.matchAll(/Total Leases available : (\d+)/g)].map((match) => Number(match[1]));
