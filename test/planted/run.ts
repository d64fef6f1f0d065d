/**
 * Tests the tests: plants one bug after the other in a scratch copy of the tree, and expects the simulator's default
 * workload to find it, by an invariant. A patch that no longer applies fails, so does a bug that stays hidden.
 *
 *   node test/planted/run.ts [--only NAME] [--quick] [--seeds N]
 *
 * `--quick` lets every bug be loaded, and those that say so in their header be found with few seeds.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { finish, run } from "../../scripts/lib.ts";
import type { Hunt } from "./hunt.ts";
import { readBugs, type PlantedBug } from "./patch.ts";
import { Scratch } from "./scratch.ts";

const { values: asked } = parseArgs({
  options: { only: { type: "string" }, quick: { type: "boolean", default: false }, seeds: { type: "string" } },
});

const seedsMax = Number(asked.seeds ?? "2000");
const medianMax = 200;

interface Verdict {
  readonly bug: PlantedBug;
  readonly passed: boolean;
  /** What found it, or why nothing did. */
  readonly by: string;
  /** undefined: only loaded. */
  readonly seeds: number | undefined;
  readonly seconds: number;
}

async function judge(scratch: Scratch, bug: PlantedBug): Promise<Verdict> {
  const start = performance.now();
  const verdict = (passed: boolean, by: string, seeds?: number): Verdict => {
    return { bug, passed, by, seeds, seconds: (performance.now() - start) / 1000 };
  };
  const planted = await scratch.plant(bug.name, bug.file);
  if ("problem" in planted) return verdict(false, `does not apply: ${planted.problem}`);
  try {
    const budget = asked.quick ? (bug.quick ?? 0) : seedsMax;
    for (let first = 1; ;) {
      const found = await hunt(planted.tree, first, budget);
      if (typeof found === "string") return verdict(false, found);
      const { seed, check, message } = found;
      if (seed === undefined) {
        if (budget === 0) return verdict(true, "loads");
        return verdict(false, "was not found", budget);
      }
      if (check === "exception") return verdict(false, `seed ${String(seed)}: no invariant, but ${message}`);
      // A seed that fails without the bug as well shows nothing.
      const clean = await hunt(scratch.clean, seed, seed);
      if (typeof clean === "string") return verdict(false, clean);
      if (clean.seed === undefined) return verdict(true, named(bug, check, message), seed);
      console.log(`  seed ${String(seed)} fails without a bug too: ${clean.message}`);
      first = seed + 1;
    }
  } finally {
    scratch.remove(planted.tree);
  }
}

function named({ caughtBy }: PlantedBug, check: string, message: string): string {
  const short = check === "assertion" ? `assertion: ${message.replace(/^.*?server \d+: /, "")}` : check;
  return caughtBy.includes(check) ? short : `${short} (expected ${caughtBy.join(", ")})`;
}

/** Runs seeds in a process of their own; a string says why that could not be done. */
async function hunt(tree: string, first: number, last: number): Promise<Hunt | string> {
  // A bug may make the simulator go round in circles; a seed takes a fifth of a second.
  const seconds = String(300 + 3 * (last - first));
  const command = ["timeout", seconds, process.execPath, "test/planted/hunt.ts", String(first), String(last)];
  const { code, output } = await run(command, { cwd: tree });
  const line = output.trim().split("\n").at(-1) ?? "";
  if (code !== 0) return `the simulator ended with code ${String(code)}: ${line}`;
  return JSON.parse(line) as Hunt;
}

function row(cells: readonly string[]): void {
  const [name = "", by = "", seeds = "", seconds = ""] = cells;
  console.log(`| ${name.padEnd(38)} | ${by.padEnd(58)} | ${seeds.padStart(5)} | ${seconds.padStart(7)} |`);
}

const bugs = readBugs().filter(({ name }) => asked.only === undefined || name.includes(asked.only));
const scratch = new Scratch();
const verdicts: Verdict[] = [];
let failed = 0;
try {
  row(["planted bug", "found by", "seeds", "seconds"]);
  row(["---", "---", "---:", "---:"]);
  const waiting = [...bugs];
  const worker = async (): Promise<void> => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const verdict = await judge(scratch, bug);
      verdicts.push(verdict);
      const { passed, by, seeds, seconds } = verdict;
      row([bug.name, passed ? by : `FAILED: ${by}`, seeds === undefined ? "" : String(seeds), seconds.toFixed(1)]);
      if (!passed) failed++;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
} finally {
  scratch.end();
}

const needed = verdicts
  .flatMap(({ passed, seeds }) => (passed && seeds !== undefined ? [seeds] : []))
  .sort((a, b) => a - b);
const median = needed[Math.floor((needed.length - 1) / 2)] ?? 0;
if (needed.length > 0) console.log(`Median of the seeds needed: ${String(median)}.`);
if (bugs.length === 0) {
  console.log(`There is no planted bug ${asked.only ?? ""}.`);
  failed++;
}
if (median > medianMax) {
  console.log(`It should be at most ${String(medianMax)}.`);
  failed++;
}
finish("sim:planted", verdicts.filter(({ passed }) => passed).length, failed);
