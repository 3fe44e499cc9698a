import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Also on two cores, where Vitest's default is one: some files compute, others wait for processes and sockets. */
const WORKERS = Math.max(2, availableParallelism() - 1);

/** Tests of whole programs, of SDK clients and of servers, which the environment reaches: a process for each file. */
const PROGRAMS = [
  "test/unit/*.test.ts",
  "test/unit/{adapters,cli,tools}/**/*.test.ts",
  "test/conformance/**/*.test.ts",
];

/** The package by its own name, as examples/ import it: the sources, so that no build is needed. */
const SOURCES = { find: /^evenkeel$/, replacement: fileURLToPath(new URL("src/index.ts", import.meta.url)) };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          // The rest of test/unit. With an `exclude` here, Vitest would ignore the command line's `--exclude`.
          include: [
            "test/{fuzz,scenarios,simulation,infra}/**/*.test.ts",
            "test/unit/!(adapters|cli|tools)/**/*.test.ts",
          ],
          // They leave nothing behind in their process, and loading the modules again for each file takes longer than most files.
          isolate: false,
          maxWorkers: WORKERS,
          testTimeout: 30_000,
        },
      },
      {
        resolve: { alias: [SOURCES] },
        test: {
          name: "programs",
          include: PROGRAMS,
          maxWorkers: WORKERS,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          // Starts an endpoint of its own and mostly waits for it, so it runs beside the unit tests.
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          maxWorkers: WORKERS,
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "endpoint",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: ["test/integration/endpoint-setup.ts"],
          // They share one endpoint, its faults and its tasks: one file after the other, when the others are done.
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
          // Not beside the unit tests: a browser that is starved of both cores may drop a key press.
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // Another user of the machine can starve it too: once more, and no more.
          retry: 1,
        },
      },
    ],
  },
});
