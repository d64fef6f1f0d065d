/** Every script ends with one line that states its result, also when something is wrong. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root, run, type Outcome } from "../../scripts/lib.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zabtree-scripts-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The suite runner on a single file of its own. */
async function suite(name: string, content: string): Promise<Outcome> {
  const base = join(folder, name);
  await mkdir(base);
  await writeFile(join(base, "vitest.config.mjs"), 'export default { test: { include: ["*.test.mjs"] } };\n');
  await writeFile(join(base, "made-up.test.mjs"), content);
  return run(["node", "scripts/test.ts", "--root", base]);
}

const api = JSON.stringify(join(root, "node_modules/vitest/dist/index.js"));

test.each([
  ["passing", `import { test } from ${api}; test("a", () => {}); test("b", () => {});`, "test: 2 passed, 0 failed", 0],
  [
    "failing",
    `import { test } from ${api}; test("a", () => {}); test("b", () => { throw 1; });`,
    "test: 1 passed, 1 failed",
    1,
  ],
  ["unloadable", "throw new Error('made up');", "test: 0 passed, 1 failed", 1],
  [
    "outside",
    `import { test } from ${api}; test("a", () => { setTimeout(() => { throw new Error("late"); }); return new Promise((r) => setTimeout(r, 100)); });`,
    "test: 1 passed, 1 failed",
    1,
  ],
  ["crashing", `import { test } from ${api}; test("a", () => { process.abort(); });`, "test: 0 passed, 1 failed", 1],
] as const)("the suite runner counts a %s file", async (name, content, line, code) => {
  const outcome = await suite(name, content);
  expect(outcome.output.trimEnd().split("\n").at(-1), outcome.output).toBe(line);
  expect(outcome.code).toBe(code);
});

test("an unknown check fails", async () => {
  const { code, output } = await run(["node", "scripts/check.ts", "no-such-check"]);
  expect(output.trimEnd().split("\n").at(-1)).toBe("check: 0 passed, 1 failed");
  expect(code).toBe(1);
});
