import { defineConfig } from "vitest/config";

/** `npm run test:ensemble`: whole ensembles of real processes, one test at a time, for minutes. */
export default defineConfig({
  test: {
    include: ["test/integration/ensemble/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
