import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/{unit,fuzz,scenarios,simulation,conformance,infra}/**/*.test.ts"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "endpoint",
          include: ["test/{integration,e2e}/**/*.test.ts"],
          globalSetup: ["test/integration/endpoint-setup.ts"],
          // One endpoint serves them all, and two cores carry it: one file after the other.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          // In a real Chromium; `npm run test:browser`, not part of `npm test`.
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // A browser starved of both cores by the other projects may drop a key press: once more, and no more.
          retry: 1,
        },
      },
    ],
  },
});
