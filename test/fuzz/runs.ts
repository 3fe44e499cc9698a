import fc from "fast-check";

/** How many inputs each property is tried with; `FUZZ_RUNS=5000 npx vitest run --project unit test/fuzz` looks longer. */
export const RUNS = Number(process.env.FUZZ_RUNS || 150);
/** A test's time-out: a slow machine's share for each run, and a start. */
export const TIMEOUT_MILLIS = 30_000 + RUNS * 100;

// A property that is not through by then fails with the input it holds, before the test's time-out hides it.
fc.configureGlobal({ interruptAfterTimeLimit: TIMEOUT_MILLIS * 0.8, markInterruptAsFailure: true });
