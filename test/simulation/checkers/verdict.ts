/** What a checker concludes from a history. `unknown` is not a pass: something was missing to decide. */
import type { Lease } from "../../../src/core/lease.ts";
import type { FleetRow } from "../../../src/core/member.ts";
import type { Swarm } from "../swarm.ts";
import { brief, type SimEvent } from "../world/history.ts";

export type Verdict =
  | { readonly kind: "valid" }
  /** `witness`: the fewest lines that show the violation. */
  | { readonly kind: "invalid"; readonly witness: string }
  | { readonly kind: "unknown"; readonly reason: string };

export const VALID: Verdict = { kind: "valid" };

export interface Evidence {
  readonly swarm: Swarm;
  readonly events: readonly SimEvent[];
  /** Why the fleet was not yet as it must be when the liveness phase ended. */
  readonly unsettled: string | undefined;
  /** Length of the quiet phase. */
  readonly quietMillis: number;
  /** Calls of the whole fleet in the quiet phase, by operation. */
  readonly quietCalls: Readonly<Record<string, number>>;
  readonly escaped: readonly string[];
  /** After all workers have stopped. */
  readonly finalLeases: readonly Lease[];
  readonly finalFleetRows: readonly FleetRow[];
}

/**
 * @param what the invariant's number and the part of it that was broken
 * @param events the events that show it
 */
export function invalid(what: string, ...events: (SimEvent | undefined)[]): Verdict {
  const lines = events
    .filter((event) => event !== undefined)
    .map((event) => `    ${event.t.toFixed(1)} ${brief(event)}`);
  return { kind: "invalid", witness: [what, ...lines].join("\n") };
}
