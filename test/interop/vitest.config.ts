import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // Each step continues where the previous one ended.
    bail: 1,
  },
});
