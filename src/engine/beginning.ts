/**
 * What happens before a worker may join. It checks the lease table, checks that the stream is the one the
 * leases belong to, decides where the application begins, and makes sure that no other living process has the
 * worker id.
 *
 * Owns no state afterwards. Every step can be repeated, so a start that fails half way does no harm.
 */
import {
  type Application,
  beginApplication,
  describeIdentity,
  isReplaced,
  positionNameOf,
  type StreamIdentity,
} from "../core/application.ts";
import { DuplicateWorkerIdError, StreamReplacedError } from "../core/errors.ts";
import { actualOwner, isEnded, type Lease } from "../core/lease.ts";
import type { Member } from "../core/member.ts";
import { deathsAfter, isProven } from "../core/trial.ts";
import { StoreUnavailableError } from "../ports/lease-store.ts";
import { StreamError } from "../ports/stream.ts";
import { forEachBounded } from "./bounded.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import type { Membership } from "./membership.ts";
import type { StartRetries } from "./start-retries.ts";

/**
 * Part of the failover time. A heartbeat is due every third of it; a process without one for this long is
 * gone.
 */
const PREDECESSOR_PART = 0.45;
const POLLS_PER_WAIT = 4;
/**
 * The longest wait for a predecessor that published a longer failover time because its event loop was
 * blocked. Its heartbeats are as frequent as any other's.
 */
const COVERED_WAIT_MILLIS = 20_000;
/** How long a start waits for a predecessor that is stopping: `start()` must settle within half a minute. */
const PREDECESSOR_LIMIT_MILLIS = 25_000;
/**
 * How often a description is tried while its failure may pass. Without a description the table is not bound
 * to the stream.
 */
const DESCRIPTION_TRIES = 3;

/** Log messages for a membership that other workers have ended. */
export const PLACE_LOST: Readonly<Record<"dead" | "replaced", string>> = {
  dead: "marked dead by the others (paused or cut off for the failover time?): leases are dropped, and this worker joins anew",
  replaced: "another process took this worker's id: leases are dropped",
};

export interface BeginningDeps {
  readonly ports: Pick<Ports, "store" | "stream" | "clock" | "random" | "logger" | "describeStream">;
  readonly options: Pick<
    EngineOptions,
    "workerId" | "createLeaseTable" | "failoverTimeMillis" | "initialPosition" | "onStreamReplaced"
  >;
  readonly membership: Membership;
  readonly startRetries: StartRetries;
}

/**
 * The table must exist.
 * @returns where the application began
 */
export async function findBeginning(deps: BeginningDeps): Promise<Application> {
  const { ports, options, startRetries } = deps;
  const stream = await describe(deps);
  const application = await startRetries.until("lease table", () => decideBeginning(deps, stream));
  const wanted = positionNameOf(options.initialPosition);
  if (wanted !== application.initialPosition)
    ports.logger.warn(
      { initialPosition: wanted, began: application.initialPosition },
      "initialPosition differs from where the application began, which holds for all its shards",
    );
  return application;
}

/** Undefined, after a warning: the table cannot be bound to its stream. */
async function describe({ ports, startRetries }: BeginningDeps): Promise<StreamIdentity | undefined> {
  let tries = 0;
  const description = await startRetries.until("stream listing", async () => {
    try {
      return await ports.describeStream();
    } catch (error) {
      tries += 1;
      const mayPass = error instanceof StreamError && error.problem !== "denied" && tries < DESCRIPTION_TRIES;
      if (mayPass) throw error;
      ports.logger.warn(
        { err: error },
        "DescribeStreamSummary fails: a stream that is deleted and made again under its name will not be noticed",
      );
      return undefined;
    }
  });
  if (description?.keepsOrderPerKey === false)
    ports.logger.warn(
      { stream: description.identity.arn },
      "the stream ignores partition keys (RecordDistributionStrategy AUTO): records of a key come in no order",
    );
  return description?.identity;
}

async function decideBeginning(
  deps: BeginningDeps,
  stream: StreamIdentity | undefined,
): Promise<Application> {
  const { ports, options } = deps;
  const { store } = ports;
  let application = await store.readApplication();
  if (application === undefined) {
    const { leases } = await store.list({ consistent: true });
    application = await store.createApplication(await beginNow(deps, stream, leases));
  }
  if (application.isClearing) return clearLeases(deps, application);
  if (!isReplaced(application, stream)) return application;
  if (options.onStreamReplaced === "refuse")
    throw new StreamReplacedError(describeIdentity(application.stream), describeIdentity(stream));
  const anew = await beginNow(deps, stream, []);
  const clearing = { ...anew, isClearing: true };
  if ((await store.replaceApplication(application, clearing)) === "changed")
    throw new StoreUnavailableError("another worker is replacing the application's row");
  return clearLeases(deps, clearing);
}

/**
 * Takes the time first and lists the shards after it. A shard opened later is read from its first record, so
 * no record in between is lost.
 */
async function beginNow(
  { ports, options, startRetries }: BeginningDeps,
  stream: StreamIdentity | undefined,
  leases: readonly Lease[],
): Promise<Application> {
  const { nowMillis, shards } = await startRetries.until("stream listing", async () => ({
    nowMillis: ports.clock.wallMillis(),
    shards: await ports.stream.listShards(),
  }));
  return beginApplication(options.initialPosition, stream, { leases, shards }, nowMillis);
}

/**
 * Deletes the rows of the previous stream. Another worker may be doing the same. A row created meanwhile is
 * at counter 0; if it is deleted, it is created again.
 */
async function clearLeases({ ports }: BeginningDeps, application: Application): Promise<Application> {
  const { store, logger } = ports;
  const { leases } = await store.list({ consistent: true });
  await forEachBounded(leases, (lease) => store.remove(lease));
  const anew = { ...application, isClearing: false };
  await store.replaceApplication(application, anew);
  logger.warn(
    { leases: leases.length, stream: describeIdentity(application.stream) },
    "the stream was deleted and made again: its leases are deleted, and the application begins anew (onStreamReplaced)",
  );
  return anew;
}

/**
 * Waits until an earlier process with this worker id is proved gone: its entry is dead, removed, or unchanged
 * for longer than a heartbeat takes. A predecessor that is leaving is waited for.
 * @returns the entries that the last look-up read
 * @throws DuplicateWorkerIdError
 */
export async function awaitPredecessor({
  ports,
  options,
  membership,
  startRetries,
}: PredecessorDeps): Promise<readonly Member[]> {
  const { clock, logger } = ports;
  const lookUp = () => startRetries.until("lease table", () => membership.lookUp());
  const isGone = (entry: Member | undefined): entry is undefined =>
    entry === undefined || entry.state === "dead" || membership.isOwn(entry);
  let { entry: seen, met } = await lookUp();
  if (isGone(seen)) return met;
  const startedMillis = clock.monotonicMillis();
  let unmovedSinceMillis = startedMillis;
  while (clock.monotonicMillis() - startedMillis < PREDECESSOR_LIMIT_MILLIS) {
    const longestMillis = Math.max(COVERED_WAIT_MILLIS, PREDECESSOR_PART * options.failoverTimeMillis);
    const waitMillis = Math.min(PREDECESSOR_PART * seen.failoverTimeMillis, longestMillis);
    if (clock.monotonicMillis() - unmovedSinceMillis >= waitMillis) {
      logger.info(
        { workerId: options.workerId },
        "an earlier process of this worker id is gone: its place is taken",
      );
      return met;
    }
    await clock.sleep(waitMillis / POLLS_PER_WAIT, startRetries.signal);
    const polled = await lookUp();
    const now: Member | undefined = polled.entry;
    met = polled.met;
    if (isGone(now)) return met;
    if (now.heartbeat === seen.heartbeat && now.incarnation === seen.incarnation) continue;
    if (now.state !== "leaving") break;
    seen = now;
    unmovedSinceMillis = clock.monotonicMillis();
  }
  throw new DuplicateWorkerIdError(options.workerId);
}

/**
 * Waits for the predecessor, and finds out whether this worker is on trial (`core/trial.ts`). If it is, the
 * predecessor's leases are released: otherwise they would be this worker's whole share at once.
 */
export async function followPredecessor(
  deps: PredecessorDeps & { readonly ports: Pick<Ports, "store"> },
): Promise<void> {
  const { ports, options, membership, startRetries } = deps;
  const { workerId } = options;
  const met = await awaitPredecessor(deps);
  const others = met.filter((m) => m.workerId !== workerId);
  const gone = met.filter((m) => !membership.isOwn(m) && (m.state === "dead" || m.workerId === workerId));
  const earlyDeaths = deathsAfter(gone);
  membership.follows(earlyDeaths);
  // Joining moves the fleet version, so the other workers scan and find the free leases. Without a proven
  // other worker, releasing them gains nothing.
  if (earlyDeaths === 0 || !others.some(isProven)) return;
  await startRetries.until("lease table", async () => {
    const { leases } = await ports.store.list({ consistent: true });
    const left = leases.filter((lease) => actualOwner(lease) === workerId && !isEnded(lease));
    await forEachBounded(left, (lease) => ports.store.release(lease, lease.checkpoint));
  });
}

/**
 * Like `awaitPredecessor`, for a worker whose place another process took. Undefined: that process is gone.
 */
export async function livingRival(deps: PredecessorDeps): Promise<DuplicateWorkerIdError | undefined> {
  try {
    await awaitPredecessor(deps);
  } catch (error) {
    if (error instanceof DuplicateWorkerIdError) return error;
    throw error;
  }
  return undefined;
}

type PredecessorDeps = Pick<BeginningDeps, "membership" | "startRetries"> & {
  readonly ports: Pick<Ports, "clock" | "logger">;
  readonly options: Pick<EngineOptions, "workerId" | "failoverTimeMillis">;
};
