import { defineConfig } from "vitest/config";

/** The lab tests: dumps made on this machine by `npm run lab -- make`, held against the guest's own word and against crash and drgn. */
export default defineConfig({
  test: {
    include: ["test/lab/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
});
