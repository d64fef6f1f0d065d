import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Native modules (better-sqlite3) want processes, not threads.
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
