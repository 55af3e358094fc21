import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** `npm test`: unit tests beside the sources and the tests on the committed samples. No network, no root, nothing but npm packages. */
export default defineConfig({
  // What the examples import.
  resolve: { alias: { inquest: fileURLToPath(new URL("src/index.ts", import.meta.url)) } },
  test: {
    include: ["src/**/*.test.ts", "lab/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/lab/**", "test/hostile/**", "node_modules/**", "dist/**"],
    testTimeout: 60_000,
    // Vitest leaves one core alone; of two that is half the speed.
    maxWorkers: "100%",
  },
});
