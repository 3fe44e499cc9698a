import { seededRandom } from "../../src/ports/random.ts";

/**
 * Faults that the gateway injects on request, in the terms of distributed-systems tests.
 *
 * The call is not performed:
 * - `throttle`: the service's throttling error;
 * - `fail`: an internal server error;
 * - `error`: the error named by `error`, such as AccessDeniedException;
 * - `conflict`: the service's error for concurrent callers;
 * - `empty`: a 200 whose body has no members, as from a proxy in between;
 * - `blackhole`: there is never an answer.
 *
 * The call is performed:
 * - `delay`: `delayMillis` late;
 * - `drop`: its answer is lost and the connection is closed;
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
  /**
   * Only calls of this caller. With a `*` at the end: of every caller whose name starts like this. Absent:
   * all callers.
   */
  caller?: string;
  /** Only calls that name this table, stream or metric namespace. Absent: all. */
  resource?: string;
  /** Probability per matching call, 0 to 1. Default: 1. */
  probability?: number;
  /** The seed for drawing `probability`. Absent: the endpoint's own generator. */
  seed?: number;
  /** The number of calls to hit before the rule removes itself. Absent: unlimited. */
  times?: number;
  /** The rule removes itself after this time. Absent: it stays until deleted. */
  durationMillis?: number;
  /** For `delay`: the delay. Default: 1000. */
  delayMillis?: number;
  /** For `error`: the error's name. */
  error?: string;
}

/** The call that rules are matched against. */
export interface FaultTarget {
  readonly caller: string;
  readonly operation: string;
  /** The table, stream or namespace that the request names. Evaluated only for rules that need it. */
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

  /**
   * Adds a rule, or replaces the one with the same id. Returns the rule, or as text what is wrong with it.
   */
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

  /** Removes one rule, or all if there is no id. */
  remove(id?: string): void {
    if (id === undefined) this.#entries.clear();
    else this.#entries.delete(id);
  }

  /** The first rule that hits this call. It counts as used. */
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
