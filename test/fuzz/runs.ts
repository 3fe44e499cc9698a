/** How many inputs each property is tried with; `FUZZ_RUNS=5000 npx vitest run --project unit test/fuzz` looks longer. */
export const RUNS = Number(process.env.FUZZ_RUNS || 150);
/** A test's time-out: a slow machine's share for each run, and a start. */
export const TIMEOUT_MILLIS = 30_000 + RUNS * 100;
