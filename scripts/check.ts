/**
 * Everything that must hold apart from the tests. Only reads. `npm run check -- lint types` runs some of it.
 *
 * test/tooling proves that each of these checks can fail.
 */
import { finish, root, run, type Outcome } from "./lib.ts";
import { differences } from "./generate.ts";

interface Check {
  readonly name: string;
  readonly what: string;
  readonly run: () => Promise<Outcome>;
}

const checks: readonly Check[] = [
  { name: "types", what: "TypeScript, everything", run: () => run(["tsc", "-p", "tsconfig.json"]) },
  { name: "pure", what: "TypeScript, pure folders without Node", run: () => run(["tsc", "-p", "tsconfig.pure.json"]) },
  { name: "lint", what: "ESLint", run: () => run(["eslint", "--max-warnings", "0", "."]) },
  { name: "format", what: "Prettier", run: () => run(["prettier", "--check", "--log-level", "warn", "."]) },
  {
    name: "imports",
    what: "folders import in one direction",
    run: () => run(["depcruise", "--output-type", "err-long", "src"]),
  },
  { name: "proto", what: "buf lint", run: () => run(["buf", "lint"]) },
  {
    name: "contract",
    what: "buf breaking against the baseline",
    run: () => run(["buf", "breaking", "proto", "--against", "proto/baseline.binpb"]),
  },
  { name: "generated", what: "committed stubs equal regenerated ones", run: generated },
];

async function generated(): Promise<Outcome> {
  try {
    const found = await differences();
    const lines = found.map(({ kind, name }) => `${kind}: ${name}`);
    return { code: found.length, output: [...lines, "`npm run gen` puts this right."].join("\n") };
  } catch (error) {
    return { code: 1, output: error instanceof Error ? error.message : String(error) };
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`There is no check ${unknown.join(", ")}; there are ${checks.map((check) => check.name).join(", ")}.`);
}

let passed = 0;
let failed = unknown.length;
for (const check of checks) {
  if (wanted.length > 0 && !wanted.includes(check.name)) continue;
  const start = performance.now();
  const { code, output } = await check.run();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (code === 0) passed++;
  else failed++;
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${check.name.padEnd(10)} ${check.what} (${seconds} s)`);
  if (code !== 0) console.log(output.replaceAll(`${root}/`, "").trimEnd());
}
finish("check", passed, failed);
