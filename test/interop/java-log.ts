/** What a Java worker's log says: slf4j-simple's lines, `[thread] LEVEL logger - message`, stack traces below them. */

const ENTRY = /^\[[^\]]*\] (?:TRACE|DEBUG|INFO|WARN|ERROR) /m;

/** One entry a message, its stack trace with it. What comes before the first (the JVM's own words) is one too. */
export function entriesOf(log: string): string[] {
  const entries: string[] = [];
  for (const line of log.split("\n")) {
    if (ENTRY.test(line) || entries.length === 0) entries.push(line);
    else entries.push(`${entries.pop()}\n${line}`);
  }
  return entries;
}

/** The clean-up of finished leases in KCL before 3.5, at a row of ours that stood still. */
const REMOVES_OURS =
  /Deleting lease Lease\(leaseKey=(evenkeel-[\w-]+),[^\n]* as it is not present in the stream/;

/** The keys of rows of ours that Java has removed. */
export const removedOfOurs = (log: string): string[] =>
  entriesOf(log).flatMap((entry) => REMOVES_OURS.exec(entry)?.[1] ?? []);

/** What a Java worker must not meet beside rows of ours, with where it happened. */
export const troubleIn = (log: string): string[] =>
  entriesOf(log).filter(
    (entry) => /\] ERROR |deserializ|NullPointer|Exception/.test(entry) && !REMOVES_OURS.test(entry),
  );

/** Of each pass of KCL 3's leader, how many leases it saw. */
export const leasesSeenByLeader = (log: string): number[] =>
  [...log.matchAll(/Total Leases available : (\d+)/g)].map((match) => Number(match[1]));
