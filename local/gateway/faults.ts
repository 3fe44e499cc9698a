/**
 * Faults that the gateway injects on request, in the words of distributed-systems tests:
 * - `throttle`: the service's throttling error, nothing happened;
 * - `fail`: an internal server error, nothing happened;
 * - `delay`: the call happens `delayMillis` late;
 * - `drop`: the call happens, its answer is lost (the connection is cut);
 * - `blackhole`: nothing happens and no answer ever comes.
 */
export const FAULT_KINDS = ["throttle", "delay", "fail", "drop", "blackhole"] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultRule {
  id: string;
  /** `Kinesis.GetRecords`, or `DynamoDB.*` for every operation of a service. */
  operation: string;
  fault: FaultKind;
  /** Only calls of this caller; absent: of everyone. */
  caller?: string;
  /** Chance per matching call, 0 to 1; default 1. */
  probability?: number;
  /** How many calls to hit before the rule removes itself; absent: until deleted. */
  times?: number;
  /** For `delay`: how long; default 1000. */
  delayMillis?: number;
}

const MAX_RULES = 100;
const OPERATION = /^[A-Za-z0-9_-]+\.(\*|[A-Za-z0-9]+)$/;

export class FaultBoard {
  readonly #rules = new Map<string, FaultRule>();
  readonly #random: () => number;
  #nextId = 1;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Adds a rule (or replaces the one with the same id). Returns what is wrong with it as text, otherwise the rule. */
  add(input: unknown): FaultRule | string {
    const problem = problemWith(input);
    if (problem) return problem;
    const rule = { ...(input as Omit<FaultRule, "id"> & { id?: string }) };
    const id = rule.id ?? `fault-${this.#nextId++}`;
    if (!this.#rules.has(id) && this.#rules.size >= MAX_RULES)
      return `there are ${MAX_RULES} faults already: delete some first`;
    this.#rules.set(id, { ...rule, id });
    return this.#rules.get(id)!;
  }

  list(): FaultRule[] {
    return [...this.#rules.values()];
  }

  /** Removes one rule, or all without an id. */
  remove(id?: string): void {
    if (id === undefined) this.#rules.clear();
    else this.#rules.delete(id);
  }

  /** The first rule that hits this call; it counts as used. */
  match(caller: string, operation: string): FaultRule | undefined {
    for (const rule of this.#rules.values()) {
      if (!covers(rule.operation, operation) || (rule.caller !== undefined && rule.caller !== caller))
        continue;
      if (rule.probability !== undefined && this.#random() >= rule.probability) continue;
      if (rule.times !== undefined) {
        rule.times -= 1;
        if (rule.times <= 0) this.#rules.delete(rule.id);
      }
      return rule;
    }
    return undefined;
  }
}

function covers(pattern: string, operation: string): boolean {
  return pattern.endsWith(".*") ? operation.startsWith(pattern.slice(0, -1)) : pattern === operation;
}

function problemWith(input: unknown): string | undefined {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return "expected a JSON object";
  const rule = input as Record<string, unknown>;
  const isNumber = (name: string, low: number, high: number) => {
    const value = rule[name];
    return value === undefined || (typeof value === "number" && value >= low && value <= high);
  };
  if (typeof rule.operation !== "string" || !OPERATION.test(rule.operation))
    return `operation: expected "<Service>.<Operation>" or "<Service>.*", got ${JSON.stringify(rule.operation)}`;
  if (!FAULT_KINDS.some((kind) => kind === rule.fault))
    return `fault: expected one of ${FAULT_KINDS.join(", ")}, got ${JSON.stringify(rule.fault)}`;
  for (const name of ["id", "caller"])
    if (rule[name] !== undefined && typeof rule[name] !== "string") return `${name}: expected text`;
  if (!isNumber("probability", 0, 1)) return "probability: expected a number from 0 to 1";
  if (!isNumber("times", 1, 1e9)) return "times: expected a number from 1";
  if (!isNumber("delayMillis", 0, 600_000)) return "delayMillis: expected a number from 0 to 600000";
  const known = ["id", "operation", "fault", "caller", "probability", "times", "delayMillis"];
  const unknown = Object.keys(rule).find((name) => !known.includes(name));
  return unknown === undefined ? undefined : `"${unknown}" is not a property of a fault: ${known.join(", ")}`;
}
