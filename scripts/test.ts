/** Runs the test suite with vitest; arguments are passed on (`npm test -- src/zab`). */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finish, run } from "./lib.ts";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly success: boolean;
}

const folder = mkdtempSync(join(tmpdir(), "zabtree-test-"));
const file = join(folder, "report.json");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
const { code } = await run(["vitest", "run", ...reporters, ...process.argv.slice(2)], { show: true });

if (existsSync(file)) {
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  // A file that cannot be loaded, an error outside any test or a crash of the runner is a failure of its own.
  const outside = report.numFailedTests === 0 && (code !== 0 || !report.success) ? 1 : 0;
  finish("test", report.numPassedTests, report.numFailedTests + outside);
} else {
  console.error(`vitest ended with code ${String(code)} and left no report`);
  finish("test", 0, 1);
}
rmSync(folder, { recursive: true, force: true });
