import fc from "fast-check";

/** Number of inputs per property; `FUZZ_RUNS=5000 npx vitest run --project unit test/fuzz` tries more. */
export const RUNS = Number(process.env.FUZZ_RUNS || 150);
/** A test's timeout: time for each run on a slow machine, and for the start. */
export const TIMEOUT_MILLIS = 30_000 + RUNS * 100;

// A property that is not finished by then fails with its current input, before the test's timeout hides that.
fc.configureGlobal({ interruptAfterTimeLimit: TIMEOUT_MILLIS * 0.8, markInterruptAsFailure: true });
