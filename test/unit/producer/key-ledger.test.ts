import fc from "fast-check";
import { expect, test } from "vitest";
import { type KeyedRecord, KeyLedger, type PutOutcome } from "../../../services/producer/key-ledger.ts";

test("a key is in a batch once, and not again before it is settled", () => {
  const ledger = new KeyLedger("p", 3);
  for (const index of [0, 0, 1]) ledger.add(index);
  const first = ledger.take(10);
  expect(first.map(({ key, n }) => [key, n])).toEqual([
    ["p-0", 1],
    ["p-1", 1],
  ]);
  expect(ledger.take(10)).toEqual([]);
  ledger.settle(first[0]!, "put");
  expect(ledger.take(10).map(({ key, n }) => [key, n])).toEqual([["p-0", 2]]);
});

test("a record that was certainly not put gives its number back; an unknown fate retires the key", () => {
  const ledger = new KeyLedger("p", 1);
  const next = () => {
    ledger.add(0);
    return ledger.take(1)[0]!;
  };
  const failed = next();
  ledger.settle(failed, "not-put");
  const again = next();
  expect(again).toEqual(failed);
  ledger.settle(again, "unknown");
  expect(next()).toMatchObject({ key: "p-0.1", n: 1 });
});

test("the longest waiting keys come first when a batch is full", () => {
  const ledger = new KeyLedger("p", 5);
  for (const index of [4, 2, 0]) ledger.add(index);
  expect(ledger.take(2).map(({ index }) => index)).toEqual([4, 2]);
});

test("whatever happens, in whatever order: numbers of a key go up by one in what was put, nothing follows an unknown, nothing is left behind", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), index: fc.nat(4) }),
    fc.record({ kind: fc.constant("take" as const), most: fc.integer({ min: 1, max: 4 }) }),
    fc.record({
      kind: fc.constant("settle" as const),
      pick: fc.nat(),
      outcome: fc.constantFrom<PutOutcome>("put", "not-put", "unknown"),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const ledger = new KeyLedger("p", 5);
      const underWay: KeyedRecord[] = [];
      const lastPut = new Map<string, number>();
      const retired = new Set<string>();
      let added = 0;
      let settled = 0;
      const take = (most: number) => {
        for (const record of ledger.take(most)) {
          expect(retired.has(record.key)).toBe(false);
          expect(underWay.some(({ key }) => key === record.key)).toBe(false);
          expect(record.n).toBe((lastPut.get(record.key) ?? 0) + 1);
          underWay.push(record);
        }
      };
      const settle = (pick: number, outcome: PutOutcome) => {
        const [record] = underWay.splice(pick % Math.max(1, underWay.length), 1);
        if (record === undefined) return;
        if (outcome === "put") lastPut.set(record.key, record.n);
        if (outcome === "unknown") retired.add(record.key);
        ledger.settle(record, outcome);
        settled += 1;
      };
      for (const event of steps) {
        if (event.kind === "add") {
          ledger.add(event.index);
          added += 1;
        } else if (event.kind === "take") take(event.most);
        else settle(event.pick, event.outcome);
        expect(ledger.outstanding).toBe(added - settled);
      }
      while (ledger.outstanding > 0) {
        take(5);
        settle(0, "put");
      }
      expect(settled).toBe(added);
    }),
  );
});
