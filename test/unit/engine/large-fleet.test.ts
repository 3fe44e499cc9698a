/** What a whole deploy of a large fleet reads of the lease table. The figures of 80 × 500: `npm run simulate -- --scale`. */
import { expect, it } from "vitest";
import { measureDeploy } from "../../simulation/scale-deploy.ts";

it("a deploy of 40 workers on 250 shards keeps the rate of scans, moves little, and ends even", {
  timeout: 60_000,
}, async () => {
  const size = { workers: 40, shards: 250, maxRowsPerSecond: 20_000, maxEvenMillis: 30_000 };
  const deployed = await measureDeploy(size);
  expect(deployed.peakRowsPerSecond).toBeLessThanOrEqual(size.maxRowsPerSecond);
  expect(deployed.evenAfterMillis).toBeLessThanOrEqual(size.maxEvenMillis);
  // Each lease has to move once; a plan made from older rows moves some of them twice.
  expect(deployed.handOvers).toBeLessThanOrEqual(1.5 * size.shards);
});
