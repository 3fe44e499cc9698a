/** What a checker makes of a history. `unknown` is not a pass: something was missing to tell. */
import type { Lease } from "../../../src/core/lease.ts";
import type { FleetRow } from "../../../src/core/member.ts";
import type { Swarm } from "../swarm.ts";
import { brief, type SimEvent } from "../world/history.ts";

export type Verdict =
  | { readonly kind: "valid" }
  /** `witness`: the fewest lines that show it. */
  | { readonly kind: "invalid"; readonly witness: string }
  | { readonly kind: "unknown"; readonly reason: string };

export const VALID: Verdict = { kind: "valid" };

export interface Evidence {
  readonly swarm: Swarm;
  readonly events: readonly SimEvent[];
  /** Why the fleet was not yet as it must be when the liveness phase's time was up. */
  readonly unsettled: string | undefined;
  /** Calls of the whole fleet in the quiet phase, by operation. */
  readonly quietMillis: number;
  readonly quietCalls: Readonly<Record<string, number>>;
  readonly escaped: readonly string[];
  /** After everybody has stopped. */
  readonly finalLeases: readonly Lease[];
  readonly finalFleetRows: readonly FleetRow[];
}

/** A law's number and the part of it that was broken, then the events that show it. */
export function invalid(what: string, ...events: (SimEvent | undefined)[]): Verdict {
  const lines = events
    .filter((event) => event !== undefined)
    .map((event) => `    ${event.t.toFixed(1)} ${brief(event)}`);
  return { kind: "invalid", witness: [what, ...lines].join("\n") };
}
