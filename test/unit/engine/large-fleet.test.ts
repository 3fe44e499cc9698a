/**
 * The rows of the lease table that a whole deploy of a large fleet reads. The figures of 80 × 500:
 * `npm run simulate -- --scale`.
 */
import { expect, it } from "vitest";
import { measureDeploy } from "../../simulation/scale-deploy.ts";

it("where the leader assigns, the same deploy reads a fifth of the rows, and moves fewer leases", {
  timeout: 60_000,
}, async () => {
  const size = { workers: 40, shards: 250, maxRowsPerSecond: 5_000, maxEvenMillis: 15_000 };
  const deployed = await measureDeploy({ ...size, assignsFrom: 5_000 });
  expect(deployed.meanRowsPerSecond).toBeLessThanOrEqual(2_000);
  expect(deployed.peakRowsPerSecond).toBeLessThanOrEqual(size.maxRowsPerSecond);
  expect(deployed.evenAfterMillis).toBeLessThanOrEqual(size.maxEvenMillis);
  expect(deployed.handOvers).toBeLessThanOrEqual(1.2 * size.shards);
});

it("a deploy of 40 workers on 250 shards keeps the rate of scans, moves little, and ends even", {
  timeout: 60_000,
}, async () => {
  const size = { workers: 40, shards: 250, maxRowsPerSecond: 20_000, maxEvenMillis: 30_000 };
  const deployed = await measureDeploy(size);
  expect(deployed.peakRowsPerSecond).toBeLessThanOrEqual(size.maxRowsPerSecond);
  expect(deployed.evenAfterMillis).toBeLessThanOrEqual(size.maxEvenMillis);
  // Each lease must move once. A plan made from older rows moves some leases twice.
  expect(deployed.handOvers).toBeLessThanOrEqual(1.5 * size.shards);
});
