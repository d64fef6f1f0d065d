import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Whole ensembles take minutes: `npm run test:ensemble`. Their short form belongs to every run.
    exclude: [...configDefaults.exclude, "test/integration/ensemble/!(short).test.ts"],
    // Native modules (better-sqlite3) want processes, not threads.
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
