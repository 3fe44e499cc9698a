/**
 * What lies between a worker and a service: latency, and the ways in which a call can go wrong. The effect of a
 * call happens at one instant of true time; the answer comes to the process when it runs.
 *
 * Fault words: throttle and fail (nothing happened), lost-answer (it happened, and the SDK retries the same call or
 * gives up), partition (nothing gets through until it heals), slow (answers take long).
 */
import type { Dice } from "./dice.ts";
import type { TroubleKind } from "./history.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimProcess } from "./sim-clock.ts";

export interface FaultRates {
  throttle: number;
  fail: number;
  lostAnswer: number;
  slow: number;
}

export const NO_FAULTS: FaultRates = { throttle: 0, fail: 0, lostAnswer: 0, slow: 0 };

export type Failure = "throttled" | "unavailable";

/** How a store or stream makes its calls. `apply` does the work, at once and completely. */
export type Call = <T>(operation: string, apply: () => T, failed: (how: Failure) => Error) => Promise<T>;

/** Calls that always succeed and take no time: for the conformance suite. */
export const directCall: Call = async (_operation, apply) => apply();

export interface Weather {
  rates: FaultRates;
  partitioned: boolean;
}

export interface NetworkOptions {
  readonly latencyMillis: { readonly low: number; readonly high: number };
  /** The SDK's own attempts and time limit for one call. */
  readonly timeoutMillis: number;
}

export function networkCall(
  process: SimProcess,
  scheduler: Scheduler,
  dice: Dice,
  weather: Weather,
  options: NetworkOptions,
  trouble: (kind: TroubleKind, until: number, detail: string) => void,
): Call {
  return (operation, apply, failed) =>
    new Promise((resolve, reject) => {
      if (process.state === "gone") return;
      const { rates } = weather;
      const latency = () => dice.between(options.latencyMillis.low, options.latencyMillis.high);
      const slow =
        rates.slow > 0 && dice.chance(rates.slow) ? dice.between(200, options.timeoutMillis * 0.9) : 0;
      const fate = dice.next();
      const answerAt = (time: number, settle: () => void) =>
        void process.deliver(time, `answer ${operation}`, settle);
      const giveUp = (millis: number, kind: TroubleKind, how: Failure) => {
        trouble(kind, scheduler.now + millis, operation);
        answerAt(scheduler.now + millis, () => reject(failed(how)));
      };

      const arrive = () => {
        if (weather.partitioned) return giveUp(options.timeoutMillis, "partition", "unavailable");
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
        if (dice.chance(0.5)) {
          // The SDK retries: the same call happens once more, and its answer is what the caller gets.
          const pause = dice.between(20, 1_000);
          trouble("lost-answer", scheduler.now + pause, `${operation}, retried`);
          scheduler.after(pause, `${process.name}:retry ${operation}`, () => {
            if (process.state === "gone") return;
            if (weather.partitioned) return giveUp(options.timeoutMillis, "partition", "unavailable");
            try {
              const again = apply();
              answerAt(scheduler.now + latency(), () => resolve(again));
            } catch (error) {
              answerAt(scheduler.now + latency(), () => reject(error));
            }
          });
        } else giveUp(options.timeoutMillis, "lost-answer", "unavailable");
      };
      const outward = latency();
      if (slow > 0) trouble("slow", scheduler.now + outward + slow + options.latencyMillis.high, operation);
      scheduler.after(outward, `${process.name}:${operation}`, arrive);
    });
}
