/** Runs seeds of the simulator: `npm run sim -- --help`. */
import { fork, type ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import {
  coverageProblems,
  merge,
  noTotals,
  runSeed,
  shrinkFailure,
  type SeedFailure,
  type Totals,
} from "../../src/sim/campaign.ts";
import { run } from "../../src/sim/run.ts";
import { drawScenario } from "../../src/sim/swarm.ts";
import { traceTo } from "../../src/sim/trace.ts";
import { programs, type ProgramName } from "./programs.ts";

interface Options {
  readonly seeds?: number;
  readonly minutes?: number;
  readonly start: number;
  readonly seed?: string;
  readonly program: ProgramName;
  readonly workers: number;
  readonly maxFailures: number;
  readonly trace: boolean;
  readonly shrink: boolean;
  readonly coverage: boolean;
}

/** A share of a campaign: the seeds first, first + step, … */
interface Share {
  readonly program: ProgramName;
  readonly first: number;
  readonly step: number;
  readonly seeds: number;
  readonly untilMs: number;
  readonly maxFailures: number;
}

type SerializedTotals = Omit<Totals, "coverage"> & { readonly coverage: readonly (readonly [string, number])[] };

/** Coverage is a condition from this many seeds on. */
const fullCampaign = 1000;

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("must be a positive integer");
  return value;
}

function minutes(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("must be a positive number");
  return value;
}

function programName(text: string): ProgramName {
  if (text !== "replica" && text !== "records") throw new InvalidArgumentError("must be replica or records");
  return text;
}

function runShare(share: Share): Totals {
  const totals = noTotals();
  const program = programs[share.program];
  for (let index = 0; index < share.seeds; index++) {
    if (Date.now() >= share.untilMs || totals.failures.length >= share.maxFailures) break;
    runSeed(String(share.first + index * share.step), program, totals);
  }
  return totals;
}

/** In a child process: works through the share that its parent sends. */
function serveParent(): void {
  process.once("message", (share: Share) => {
    const totals = runShare(share);
    const serialized: SerializedTotals = { ...totals, coverage: [...totals.coverage] };
    process.send!(serialized, () => process.disconnect());
  });
}

function startChild(share: Share): Promise<Totals> {
  const child: ChildProcess = fork(import.meta.filename, ["--worker"]);
  return new Promise((resolve, reject) => {
    child.once("message", (answer: SerializedTotals) => resolve({ ...answer, coverage: new Map(answer.coverage) }));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`a worker ended with ${code ?? "a signal"}`)));
    child.send(share);
  });
}

async function campaign(options: Options): Promise<void> {
  const began = performance.now();
  const { workers, start, program, maxFailures } = options;
  const untilMs = options.minutes === undefined ? Infinity : Date.now() + options.minutes * 60_000;
  const seeds = options.seeds ?? (options.minutes === undefined ? 100 : Number.MAX_SAFE_INTEGER);
  const shares: Share[] = Array.from({ length: Math.min(workers, seeds) }, (_, index) => ({
    program,
    first: start + index,
    step: workers,
    seeds: Math.floor((seeds - index + workers - 1) / workers),
    // JSON has no Infinity.
    untilMs: Math.min(untilMs, Number.MAX_SAFE_INTEGER),
    maxFailures,
  }));
  const totals = noTotals();
  const parts = shares.length === 1 ? [runShare(shares[0]!)] : await Promise.all(shares.map(startChild));
  for (const part of parts) merge(totals, part);
  report(totals, options, performance.now() - began);
}

function report(totals: Totals, options: Options, tookMs: number): void {
  const { coverage, failures, seeds } = totals;
  if (options.coverage || seeds >= fullCampaign) {
    for (const [name, count] of [...coverage].sort()) console.log(`${String(count).padStart(12)}  ${name}`);
  }
  for (const failure of failures) console.log(`seed ${failure.seed} fails: ${failure.problem}`);
  if (options.shrink && failures.length > 0) keepSmall(failures[0]!, options.program);
  const problems = seeds >= fullCampaign && failures.length === 0 ? coverageProblems(coverage) : [];
  for (const problem of problems) console.log(`coverage: ${problem}`);
  const figures = [
    `${(totals.events / (tookMs / 1000) / 1000).toFixed(0)}k events/s`,
    `${Math.round(totals.steps / Math.max(seeds, 1))} steps, ${Math.round(totals.calls / Math.max(seeds, 1))} client calls and ` +
      `${Math.round(totals.acknowledged / Math.max(seeds, 1))} acknowledged writes a seed`,
    `${(totals.virtualMs / 3_600_000).toFixed(1)} virtual hours in ${(tookMs / 1000).toFixed(0)} s`,
    `${totals.repeated} seeds repeated`,
  ];
  console.log(`sim: ${seeds - failures.length} seeds passed, ${failures.length} failed, ${figures.join(", ")}`);
  if (failures.length > 0 || problems.length > 0) process.exitCode = 1;
}

/** Shrinks a failing scenario and writes it where it can be repeated from. */
function keepSmall(failure: SeedFailure, program: ProgramName): void {
  const scenario = shrinkFailure(failure, programs[program]);
  const directory = join(import.meta.dirname, "../../build/sim");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${failure.check}-${failure.seed}.json`);
  writeFileSync(path, JSON.stringify({ fails: failure.problem, program, scenario }, undefined, 1) + "\n");
  console.log(`shrunk to ${scenario.faults.length} faults: ${path}`);
}

function replay(options: Options & { readonly seed: string }): void {
  const tracer = options.trace ? traceTo((line) => console.log(line)) : undefined;
  const result = run(drawScenario(options.seed), programs[options.program], tracer);
  const { failure } = result;
  if (failure !== undefined) {
    console.log(failure.cause instanceof Error ? failure.cause.stack : failure.stack);
    process.exitCode = 1;
    if (options.shrink) {
      const { check, message: problem, virtualMs } = failure;
      keepSmall(
        { seed: options.seed, check, problem, virtualMs, scenario: drawScenario(options.seed) },
        options.program,
      );
    }
  }
  const { steps, calls, acknowledged, reads, hash } = result;
  console.log(
    `${steps} steps, ${calls} client calls, ${acknowledged} writes, ${reads} linearizable reads, hash ${hash}`,
  );
  const end = failure === undefined ? "1 seed passed, 0 failed" : `0 seeds passed, 1 failed: ${failure.message}`;
  console.log(`sim: ${end}`);
}

if (process.argv[2] === "--worker") serveParent();
else {
  const command = new Command("sim")
    .description("Runs ensembles on simulated clocks, disks and networks, one for each seed.")
    .option("--seeds <n>", "how many seeds", positive)
    .option("--minutes <m>", "for how long", minutes)
    .option("--start <seed>", "the first seed", positive, 1)
    .option("--seed <seed>", "one seed, with a trace")
    .option("--no-trace", "with --seed: without the trace")
    .option("--no-shrink", "do not make a failing scenario small")
    .option("--coverage", "say how often everything was met", false)
    .option("--program <name>", "what runs: the whole replica, or records on bare consensus", programName, "replica")
    .option("--workers <n>", "processes", positive, availableParallelism())
    .option("--max-failures <n>", "stop a process after so many failing seeds", positive, 5)
    .parse();
  const options = command.opts<Options>();
  if (options.seed !== undefined) replay({ ...options, seed: options.seed });
  else await campaign(options);
}
