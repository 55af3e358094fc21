import { defineConfig } from "vitest/config";

/** Mutated and truncated dumps: the only allowed outcomes are a right answer or one clear error, in bounded time and memory. */
export default defineConfig({
  test: {
    include: ["test/hostile/**/*.test.ts"],
    testTimeout: 1_800_000,
    maxWorkers: 2,
    maxConcurrency: 2,
  },
});
