/** Proves that each check of `npm run check` can fail: every rule meets code that breaks it. */
import { ESLint } from "eslint";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareTrees } from "../../scripts/generate.ts";
import { root, run } from "../../scripts/lib.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zabtree-checks-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function project(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const base = join(folder, name);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(base, path)), { recursive: true });
    await writeFile(join(base, path), content);
  }
  await symlink(join(root, "node_modules"), join(base, "node_modules"));
  return base;
}

describe("purity", () => {
  const eslint = new ESLint({
    cwd: root,
    // The rules of the pure folders need no types, and the files linted here do not exist.
    overrideConfig: {
      languageOptions: { parserOptions: { projectService: false } },
      rules: Object.fromEntries(
        ["switch-exhaustiveness-check", "prefer-readonly"].map((name) => [`@typescript-eslint/${name}`, "off"]),
      ),
    },
    ruleFilter: ({ ruleId }) => ruleId.startsWith("no-restricted-"),
  });

  async function findings(path: string, code: string): Promise<number> {
    const [result] = await eslint.lintText(code, { filePath: join(root, path) });
    expect(result?.fatalErrorCount, JSON.stringify(result?.messages)).toBe(0);
    return result?.errorCount ?? 0;
  }

  const impure: readonly (readonly [string, string])[] = [
    ["clock", "export const now = (): number => Date.now();"],
    ["chance", "export const pick = (): number => Math.random();"],
    ["async function", "export async function f() { return 1; }"],
    ["async arrow", "export const f = async () => 1;"],
    ["promise", "export const f = () => Promise.resolve(1);"],
    ["promise type", "export interface Port { read(): Promise<number>; }"],
    ["timer", "export const f = (g: () => void) => setTimeout(g, 1);"],
    ["process", "export const f = () => process.env.HOME;"],
    ["console", "export const f = () => console.log(1);"],
    ["globalThis", "export const f = () => globalThis;"],
    ["Intl", "export const f = () => new Intl.Collator();"],
    ["localeCompare", 'export const f = (a: string) => a.localeCompare("b");'],
    ["toLocaleString", "export const f = (a: number) => a.toLocaleString();"],
    ["node module", 'import { readFileSync } from "node:fs"; export { readFileSync };'],
    ["bare node module", 'import { readFileSync } from "fs"; export { readFileSync };'],
    ["package", 'import { pino } from "pino"; export { pino };'],
    ["dynamic import", 'export const f = () => import("../base/ids.ts");'],
    ["state of a module", "export let counter = 0;"],
  ];

  test.each(impure)("refuses: %s", async (_, code) => {
    for (const pure of ["base", "zab", "tree", "sessions", "watches", "replica", "sim"]) {
      expect(await findings(`src/${pure}/made-up.ts`, code), pure).toBeGreaterThan(0);
    }
    expect(await findings("src/server/made-up.ts", code)).toBe(0);
    expect(await findings("src/zab/made-up.test.ts", code)).toBe(0);
  });

  test("accepts deterministic code", async () => {
    const code = 'import { x } from "../base/x.ts";\nexport const f = (a: number) => Math.max(a, x);';
    expect(await findings("src/zab/made-up.ts", code)).toBe(0);
  });

  test("Node does not exist for the types of pure folders", async () => {
    const base = await project("pure", {
      "src/zab/bad.ts": 'import "node:fs";\nsetTimeout(() => 1, 1);\nexport const home = process.env;\n',
      "src/zab/bad.test.ts": "export const home: number = process.pid;\n",
    });
    for (const name of ["tsconfig.json", "tsconfig.pure.json"]) await cp(join(root, name), join(base, name));
    const { code, output } = await run(["tsc", "-p", "tsconfig.pure.json"], { cwd: base });
    expect(code).not.toBe(0);
    for (const line of [1, 2, 3]) expect(output).toContain(`src/zab/bad.ts(${String(line)},`);
    expect(output).not.toContain("bad.test.ts");
  });
});

test("imports against the direction are refused, each by its rule", async () => {
  const header = "export const a = 1;\n";
  const wrong: readonly (readonly [rule: string, path: string, code: string])[] = [
    ["direction-of-base", "src/base/bad.ts", 'import "../zab/good.ts";'],
    ["direction-of-zab", "src/zab/bad.ts", 'import "../tree/good.ts";'],
    ["direction-of-tree", "src/tree/bad.ts", 'import type { a } from "../zab/good.ts"; export type B = typeof a;'],
    ["direction-of-sessions", "src/sessions/bad.ts", 'import "../watches/good.ts";'],
    ["direction-of-watches", "src/watches/bad.ts", 'import "../replica/good.ts";'],
    ["direction-of-replica", "src/replica/bad.ts", 'import "../storage/good.ts";'],
    ["direction-of-storage", "src/storage/bad.ts", 'import "../rpc/good.ts";'],
    ["direction-of-rpc", "src/rpc/bad.ts", 'import "../server/good.ts";'],
    ["direction-of-server", "src/server/bad.ts", 'import "../client/good.ts";'],
    ["direction-of-client", "src/client/bad.ts", 'import "../server/good.ts";'],
    ["direction-of-cli", "src/cli/bad.ts", 'import "../replica/good.ts";'],
    ["direction-of-sim", "src/sim/bad.ts", 'import "../storage/good.ts";'],
    ["client-without-server", "src/client/reaching.ts", 'import "../rpc/converting.ts";'],
    ["known-folders-only", "src/other/bad.ts", 'import "./good.ts";'],
    ["no-cycles", "src/cli/one.ts", 'import "./two.ts";'],
    ["pure-without-packages", "src/tree/node.ts", 'import "node:fs";'],
    ["pure-without-packages", "src/watches/package.ts", 'import "pino";'],
    ["sqlite-only-in-storage", "src/server/sqlite.ts", 'import "better-sqlite3";'],
    ["grpc-only-at-the-edge", "src/cli/grpc.ts", 'import "@grpc/grpc-js";'],
    ["grpc-only-at-the-edge", "src/storage/connect.ts", 'import "@connectrpc/connect";'],
    ["generated-code-only-at-the-edge", "src/storage/generated.ts", 'import "../../gen/ts/a.js";'],
    ["no-tests-from-production-code", "src/server/tests.ts", 'import "./good.test.ts";'],
    ["no-development-packages-in-production-code", "src/server/dev.ts", 'import "vitest";'],
    ["nothing-unresolvable", "src/server/nowhere.ts", 'import "./nowhere-at-all.ts";'],
  ];
  const folders = [
    "base",
    "zab",
    "tree",
    "sessions",
    "watches",
    "replica",
    "storage",
    "rpc",
    "server",
    "client",
    "other",
  ];
  const base = await project("imports", {
    ...Object.fromEntries(folders.map((name) => [`src/${name}/good.ts`, header])),
    ...Object.fromEntries(wrong.map(([, path, code]) => [path, `${code}\n`])),
    "src/rpc/converting.ts": 'import "../tree/good.ts";\n',
    "src/cli/two.ts": 'import "./one.ts";\n',
    "src/server/good.test.ts": header,
    "gen/ts/a.js": header,
    "package.json": await readFile(join(root, "package.json"), "utf8"),
    "tsconfig.json": await readFile(join(root, "tsconfig.json"), "utf8"),
  });
  const config = join(root, ".dependency-cruiser.mjs");
  const { output } = await run(["depcruise", "--config", config, "--output-type", "json", "src"], { cwd: base });
  const report = JSON.parse(output) as {
    summary: { violations: readonly { from: string; rule: { name: string } }[] };
  };
  const found = new Set(report.summary.violations.map(({ from, rule }) => `${rule.name} ${from}`));
  expect([...found]).toEqual(expect.arrayContaining(wrong.map(([rule, path]) => `${rule} ${path}`)));
  expect([...found].filter((line) => line.includes("good"))).toEqual([]);
});

describe("the contract", () => {
  async function withProto(name: string, change: (text: string) => string): Promise<string> {
    const base = join(folder, name);
    await cp(join(root, "proto"), join(base, "proto"), { recursive: true });
    await cp(join(root, "third_party"), join(base, "third_party"), { recursive: true });
    await cp(join(root, "buf.yaml"), join(base, "buf.yaml"));
    const file = join(base, "proto/zabtree/v1/tree.proto");
    const before = await readFile(file, "utf8");
    expect(change(before)).not.toBe(before);
    await writeFile(file, change(before));
    return base;
  }

  test("a changed field number breaks it", async () => {
    const base = await withProto("breaking", (text) => text.replace("string path = 1;", "string path = 99;"));
    const { code, output } = await run(["buf", "breaking", "proto", "--against", "proto/baseline.binpb"], {
      cwd: base,
    });
    expect(code).not.toBe(0);
    expect(output).toContain("tree.proto");
  });

  test("an uncommented message is refused", async () => {
    const base = await withProto("lint", (text) => `${text}\nmessage Uncommented {}\n`);
    const { code, output } = await run(["buf", "lint"], { cwd: base });
    expect(code).not.toBe(0);
    expect(output).toContain("Uncommented");
  });
});

test("stale, missing and left-over generated files are found", async () => {
  const fresh = join(folder, "fresh");
  const present = join(folder, "present");
  const write = async (base: string, path: string, content: string): Promise<void> => {
    await mkdir(dirname(join(base, path)), { recursive: true });
    await writeFile(join(base, path), content);
  };
  for (const base of [fresh, present]) await write(base, "gen/ts/same.js", "1");
  await write(fresh, "gen/ts/stale.js", "new");
  await write(present, "gen/ts/stale.js", "old");
  await write(fresh, "docs/errors.md", "new");
  await write(present, "gen/python/zabtree/left.py", "");
  await write(present, "gen/python/zabtree/__pycache__/left.pyc", "");
  expect(await compareTrees(fresh, present)).toEqual([
    { kind: "differs", name: "gen/ts/stale.js" },
    { kind: "missing", name: "docs/errors.md" },
    { kind: "left over", name: "gen/python/zabtree/left.py" },
  ]);
});

test("types, lint and format of ordinary files are looked at", async () => {
  const base = await project("ordinary", {
    "src/server/bad.ts": [
      "export function f(kind: 'a' | 'b', list: number[]) {",
      "  switch (kind) { case 'a': break; }",
      "  const first: number = list[0];",
      "  Promise.resolve(first);",
      "}",
      "",
    ].join("\n"),
  });
  for (const name of ["tsconfig.json", "eslint.config.js", ".prettierrc.json"])
    await cp(join(root, name), join(base, name));
  const [types, lint, format] = await Promise.all([
    run(["tsc", "-p", "tsconfig.json"], { cwd: base }),
    run(["eslint", "src"], { cwd: base }),
    run(["prettier", "--check", "src"], { cwd: base }),
  ]);
  expect(types.output).toContain("src/server/bad.ts(3,9)");
  expect(lint.output).toContain("no-floating-promises");
  expect(lint.output).toContain("switch-exhaustiveness-check");
  expect(format.code).not.toBe(0);
});
