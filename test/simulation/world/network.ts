/**
 * The network between a worker and a service: latency, and the ways in which a call can fail. The effect of a
 * call happens at one instant of true time; the answer reaches the process when it runs.
 *
 * Faults: throttle and fail (the call has no effect), lost-answer (it has its effect, and the SDK retries the
 * same call or gives up), partition (no call gets through until it heals), slow (answers take long).
 */

import type { FaultKindOfWorker } from "./history.ts";
import type { ActiveOutage } from "./outages.ts";
import type { Prng } from "./prng.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimProcess } from "./sim-clock.ts";

export interface FaultRates {
  throttle: number;
  fail: number;
  lostAnswer: number;
  slow: number;
}

export const NO_FAULTS: FaultRates = { throttle: 0, fail: 0, lostAnswer: 0, slow: 0 };

export type Failure =
  | "throttled"
  | "unavailable"
  | "denied"
  | "unauthenticated"
  | "expired-credentials"
  | "malformed-answer";

/**
 * How a store or stream makes its calls. `apply` does the work, at once and completely. `empty`: what the
 * caller makes of an empty answer, where that is a valid answer.
 */
export type Call = <T>(
  operation: string,
  apply: () => T,
  failed: (how: Failure) => Error,
  empty?: () => T,
) => Promise<T>;

/** Calls that always succeed and take no time: for the conformance suite. */
export const directCall: Call = async (_operation, apply) => apply();

export interface NetworkConditions {
  rates: FaultRates;
  partitioned: boolean;
}

export interface NetworkOptions {
  readonly latencyMillis: { readonly low: number; readonly high: number };
  /** Time limit for one call, the SDK's own attempts included. */
  readonly timeoutMillis: number;
  /** The outage that hits the whole fleet or this worker, in addition to the network conditions. */
  readonly outageOf?: (operation: string) => ActiveOutage | undefined;
  /** Whether a call never settles; drawn for each call. */
  readonly hangs?: () => boolean;
  /** How long a call that never settles excuses its consequences. */
  readonly hungExcuseMillis?: number;
}

export function networkCall(
  process: SimProcess,
  scheduler: Scheduler,
  prng: Prng,
  conditions: NetworkConditions,
  options: NetworkOptions,
  trouble: (kind: FaultKindOfWorker, until: number, detail: string) => void,
): Call {
  const { outageOf = () => undefined, hangs = () => false, hungExcuseMillis = 0 } = options;
  return (operation, apply, failed, empty) =>
    new Promise((resolve, reject) => {
      if (process.state === "gone") return;
      const { rates } = conditions;
      const latency = () => prng.between(options.latencyMillis.low, options.latencyMillis.high);
      const slow =
        rates.slow > 0 && prng.chance(rates.slow) ? prng.between(200, options.timeoutMillis * 0.9) : 0;
      const fate = prng.next();
      const answerAt = (time: number, settle: () => void) =>
        void process.deliver(time, `answer ${operation}`, settle);
      const giveUp = (millis: number, kind: FaultKindOfWorker, how: Failure) => {
        trouble(kind, scheduler.now + millis, operation);
        answerAt(scheduler.now + millis, () => reject(failed(how)));
      };

      const attempt = (settle: (answer: () => void) => void) => {
        try {
          const result = apply();
          settle(() => resolve(result));
        } catch (error) {
          settle(() => reject(error));
        }
      };
      const suffer = ({ how, until }: ActiveOutage) => {
        const soon = scheduler.now + latency();
        switch (how) {
          case "unavailable":
            return answerAt(scheduler.now + options.timeoutMillis, () => reject(failed(how)));
          case "black-hole":
            return answerAt(until + latency(), () => reject(failed("unavailable")));
          case "mute":
          case "lost-answer": {
            const at = how === "mute" ? until + latency() : scheduler.now + options.timeoutMillis;
            return attempt(() => answerAt(at, () => reject(failed("unavailable"))));
          }
          case "empty":
            return answerAt(soon, () => (empty ? resolve(empty()) : reject(failed("malformed-answer"))));
          default:
            return answerAt(soon, () => reject(failed(how)));
        }
      };

      const arrive = () => {
        const outage = outageOf(operation);
        if (outage !== undefined) return suffer(outage);
        if (hangs()) {
          trouble("hung-call", scheduler.now + hungExcuseMillis, operation);
          return prng.chance(0.5) ? attempt(() => undefined) : undefined;
        }
        if (conditions.partitioned) return giveUp(options.timeoutMillis, "partition", "unavailable");
        if (fate < rates.throttle) return giveUp(latency() * 3, "throttle", "throttled");
        if (fate < rates.throttle + rates.fail) return giveUp(latency() * 3, "failed-call", "unavailable");
        let result: ReturnType<typeof apply>;
        try {
          result = apply();
        } catch (error) {
          return answerAt(scheduler.now + latency(), () => reject(error));
        }
        const lost = fate < rates.throttle + rates.fail + rates.lostAnswer;
        if (!lost) return answerAt(scheduler.now + latency() + slow, () => resolve(result));
        if (prng.chance(0.5)) {
          // The SDK retries: the same call happens once more, and the caller gets the second answer.
          const pause = prng.between(20, 1_000);
          trouble("lost-answer", scheduler.now + pause, `${operation}, retried`);
          scheduler.after(pause, `${process.name}:retry ${operation}`, () => {
            if (process.state === "gone") return;
            const met = outageOf(operation);
            if (met !== undefined) return suffer(met);
            if (conditions.partitioned) return giveUp(options.timeoutMillis, "partition", "unavailable");
            attempt((answer) => answerAt(scheduler.now + latency(), answer));
          });
        } else giveUp(options.timeoutMillis, "lost-answer", "unavailable");
      };
      const outward = latency();
      if (slow > 0) trouble("slow", scheduler.now + outward + slow + options.latencyMillis.high, operation);
      scheduler.after(outward, `${process.name}:${operation}`, arrive);
    });
}
