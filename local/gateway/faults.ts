import { seededRandom } from "../../src/ports/random.ts";

/**
 * Faults that the gateway injects on request, in the words of distributed-systems tests.
 *
 * Nothing happens:
 * - `throttle`: the service's throttling error;
 * - `fail`: an internal server error;
 * - `error`: the error that `error` names, such as AccessDeniedException;
 * - `conflict`: the service's error for two callers at once;
 * - `empty`: a 200 whose body says nothing, as from a proxy in between;
 * - `blackhole`: no answer ever comes.
 *
 * The call happens:
 * - `delay`: `delayMillis` late;
 * - `drop`: its answer is lost, the connection is closed;
 * - `cut`: the connection is closed in the middle of the answer;
 * - `fail-after`: the answer is an internal server error.
 */
export const FAULT_KINDS = [
  "throttle",
  "delay",
  "fail",
  "error",
  "conflict",
  "empty",
  "drop",
  "cut",
  "fail-after",
  "blackhole",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultRule {
  id: string;
  /** `Kinesis.GetRecords`, or `DynamoDB.*` for every operation of a service. */
  operation: string;
  fault: FaultKind;
  /** Only calls of this caller, or with a `*` at the end of every caller whose name begins so; absent: of everyone. */
  caller?: string;
  /** Only calls that name this table, stream or metric namespace; absent: all. */
  resource?: string;
  /** Chance per matching call, 0 to 1; default 1. */
  probability?: number;
  /** Draws `probability` from this seed; absent: from the endpoint's own generator. */
  seed?: number;
  /** How many calls to hit before the rule removes itself; absent: until deleted. */
  times?: number;
  /** The rule removes itself after this time; absent: it stays until deleted. */
  durationMillis?: number;
  /** For `delay`: how long; default 1000. */
  delayMillis?: number;
  /** For `error`: its name. */
  error?: string;
}

/** What a rule is compared with. */
export interface FaultTarget {
  readonly caller: string;
  readonly operation: string;
  /** The table, stream or namespace that the request names. Asked only by rules that need it. */
  readonly resource: () => string | undefined;
}

interface Entry {
  readonly rule: FaultRule;
  readonly random: () => number;
  readonly endsAtMillis: number;
}

const MAX_RULES = 100;
const OPERATION = /^[A-Za-z0-9_-]+\.(\*|[A-Za-z0-9]+)$/;
const ERROR_NAME = /^[A-Za-z]{1,64}$/;

export class FaultBoard {
  readonly #entries = new Map<string, Entry>();
  readonly #random: () => number;
  readonly #monotonicMillis: () => number;
  #nextId = 1;

  constructor(random: () => number, monotonicMillis: () => number) {
    this.#random = random;
    this.#monotonicMillis = monotonicMillis;
  }

  /** Adds a rule (or replaces the one with the same id). Returns what is wrong with it as text, otherwise the rule. */
  add(input: unknown): FaultRule | string {
    const problem = problemWith(input);
    if (problem) return problem;
    this.#removeExpired();
    const given = input as Omit<FaultRule, "id"> & { id?: string };
    const rule = { ...given, id: given.id ?? `fault-${this.#nextId++}` };
    if (!this.#entries.has(rule.id) && this.#entries.size >= MAX_RULES)
      return `there are ${MAX_RULES} faults already: delete some first`;
    const seeded = rule.seed === undefined ? undefined : seededRandom(rule.seed);
    this.#entries.set(rule.id, {
      rule,
      random: seeded ? () => seeded.next() : this.#random,
      endsAtMillis: this.#monotonicMillis() + (rule.durationMillis ?? Number.POSITIVE_INFINITY),
    });
    return rule;
  }

  list(): FaultRule[] {
    this.#removeExpired();
    return [...this.#entries.values()].map(({ rule }) => rule);
  }

  /** Removes one rule, or all without an id. */
  remove(id?: string): void {
    if (id === undefined) this.#entries.clear();
    else this.#entries.delete(id);
  }

  /** The first rule that hits this call; it counts as used. */
  match(target: FaultTarget): FaultRule | undefined {
    this.#removeExpired();
    for (const { rule, random } of this.#entries.values()) {
      if (!covers(rule, target)) continue;
      if (rule.probability !== undefined && random() >= rule.probability) continue;
      if (rule.times !== undefined) {
        rule.times -= 1;
        if (rule.times <= 0) this.#entries.delete(rule.id);
      }
      return rule;
    }
    return undefined;
  }

  #removeExpired(): void {
    const now = this.#monotonicMillis();
    for (const { rule, endsAtMillis } of this.#entries.values())
      if (now >= endsAtMillis) this.#entries.delete(rule.id);
  }
}

const begins = (pattern: string, text: string): boolean =>
  pattern.endsWith("*") ? text.startsWith(pattern.slice(0, -1)) : pattern === text;

function covers(rule: FaultRule, { caller, operation, resource }: FaultTarget): boolean {
  return (
    begins(rule.operation, operation) &&
    (rule.caller === undefined || begins(rule.caller, caller)) &&
    (rule.resource === undefined || rule.resource === resource())
  );
}

const PROPERTIES = [
  "id",
  "operation",
  "fault",
  "caller",
  "resource",
  "probability",
  "seed",
  "times",
  "durationMillis",
  "delayMillis",
  "error",
];

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
  for (const name of ["id", "caller", "resource"])
    if (rule[name] !== undefined && typeof rule[name] !== "string") return `${name}: expected text`;
  if (!isNumber("probability", 0, 1)) return "probability: expected a number from 0 to 1";
  if (!isNumber("seed", 0, 2 ** 32)) return "seed: expected a number from 0 to 4294967296";
  if (!isNumber("times", 1, 1e9)) return "times: expected a number from 1";
  if (!isNumber("durationMillis", 1, 86_400_000))
    return "durationMillis: expected a number from 1 to 86400000";
  if (!isNumber("delayMillis", 0, 600_000)) return "delayMillis: expected a number from 0 to 600000";
  const named = rule.error;
  if ((rule.fault === "error") !== (named !== undefined))
    return 'error: expected with "fault": "error", and only there';
  if (named !== undefined && !(typeof named === "string" && ERROR_NAME.test(named)))
    return `error: expected the name of an AWS error, such as AccessDeniedException, got ${JSON.stringify(named)}`;
  const unknown = Object.keys(rule).find((name) => !PROPERTIES.includes(name));
  return unknown === undefined
    ? undefined
    : `"${unknown}" is not a property of a fault: ${PROPERTIES.join(", ")}`;
}
