/** Many seeds: sums over runs, and what a campaign must have met. */
import type { ProgramFactory } from "./core.ts";
import type { Scenario } from "./fault.ts";
import { run, type RunResult } from "./run.ts";
import { shrink } from "./shrink.ts";
import { drawScenario, persistencePoints } from "./swarm.ts";

export interface SeedFailure {
  readonly seed: string;
  readonly check: string;
  readonly problem: string;
  readonly virtualMs: number;
  readonly scenario: Scenario;
}

export interface Totals {
  seeds: number;
  events: number;
  steps: number;
  calls: number;
  acknowledged: number;
  reads: number;
  virtualMs: number;
  /** Seeds that were run twice. */
  repeated: number;
  readonly coverage: Map<string, number>;
  readonly failures: SeedFailure[];
}

export function noTotals(): Totals {
  const sums = { seeds: 0, events: 0, steps: 0, calls: 0, acknowledged: 0, reads: 0, virtualMs: 0, repeated: 0 };
  return { ...sums, coverage: new Map(), failures: [] };
}

/** Every hundredth seed runs twice: the same seed must do the same. */
const repeatEvery = 100;

export function runSeed(seed: string, makeProgram: ProgramFactory, totals: Totals): void {
  const scenario = drawScenario(seed);
  const result = run(scenario, makeProgram);
  add(totals, result);
  const { failure } = result;
  if (failure !== undefined) {
    const { check, message: problem, virtualMs } = failure;
    totals.failures.push({ seed, check, problem, virtualMs, scenario });
  } else if (totals.seeds % repeatEvery === 1) {
    totals.repeated++;
    if (run(scenario, makeProgram).hash !== result.hash) {
      const problem = "the same seed went another way the second time";
      totals.failures.push({ seed, check: "determinism", problem, virtualMs: 0, scenario });
    }
  }
}

function add(totals: Totals, result: RunResult): void {
  totals.seeds++;
  totals.events += result.events;
  totals.steps += result.steps;
  totals.calls += result.calls;
  totals.acknowledged += result.acknowledged;
  totals.reads += result.reads;
  totals.virtualMs += result.virtualMs;
  addCoverage(totals.coverage, result.coverage);
}

export function merge(totals: Totals, other: Totals): void {
  totals.seeds += other.seeds;
  totals.events += other.events;
  totals.steps += other.steps;
  totals.calls += other.calls;
  totals.acknowledged += other.acknowledged;
  totals.reads += other.reads;
  totals.virtualMs += other.virtualMs;
  totals.repeated += other.repeated;
  addCoverage(totals.coverage, other.coverage);
  totals.failures.push(...other.failures);
}

function addCoverage(sums: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [name, count] of more) sums.set(name, (sums.get(name) ?? 0) + count);
}

/** A small scenario that fails the same check. */
export function shrinkFailure(failure: SeedFailure, makeProgram: ProgramFactory, budget = 150): Scenario {
  const fails = (scenario: Scenario) => run(scenario, makeProgram).failure?.check === failure.check;
  return shrink(failure.scenario, failure.virtualMs, fails, budget);
}

// ---- what must have been met

const phases = [
  ...["forming", "looking", "leading/discovery", "leading/synchronization", "leading/broadcast"],
  ...["following/discovery", "following/synchronization", "following/snapshot", "following/broadcast"],
];
const notifications = ["forming", "looking", "following", "leading"].map((state) => `notification of ${state}`);

/** Message by the phase in which it is in order: every one of these cells has to be met. */
const expected: Readonly<Record<string, readonly string[]>> = {
  "following/discovery": ["leaderInfo"],
  "following/synchronization": ["trunc", "snap", "diff", "newLeader", "ping"],
  "following/snapshot": ["ping"],
  "following/broadcast": ["proposal", "commit", "upToDate", "ping", "answer"],
  "leading, learner in connected": ["learnerInfo"],
  "leading, learner in discovery": ["ackEpoch"],
  "leading, learner in snapshot": ["pong"],
  "leading, learner in diff": ["ackDiff", "pong"],
  "leading, learner in newLeader": ["ackDiff", "ackNewLeader", "pong"],
  "leading, learner in synced": ["ack", "pong", "request"],
};

/**
 * Cells that cannot be met: a learner's first word on a link is learnerInfo, so none of its others comes on a link that is
 * `connected` (a repeated old message needs one that went over the link before); and nobody answers while it forms.
 */
const impossible: readonly RegExp[] = [
  /^cell: forming × (?!notification)/,
  /^cell: leading, learner in (connected|discovery|promised) × (request|pong|ackNewLeader)$/,
];

const situations: readonly string[] = [
  "election: leader established",
  "log: truncate",
  "log: install",
  "sync: SNAP installed",
  "sync: SNAP finished by recovery",
  "recovering: at start",
  ...["torn tail", "failed fsync", "asymmetric link", "stray message received", "kill with unsynced writes"].map(
    (name) => `fault: ${name}`,
  ),
  "fault: power with unsynced writes",
];

export function requiredCoverage(): string[] {
  const cells = phases.flatMap((phase) => notifications.map((message) => `cell: ${phase} × ${message}`));
  for (const [phase, messages] of Object.entries(expected)) {
    for (const message of messages) cells.push(`cell: ${phase} × ${message}`);
  }
  return [...situations, ...persistencePoints.map((point) => `crash: ${point}`), ...cells].filter(
    (name) => !unlikely.has(name),
  );
}

/** Possible, but too rare for a short campaign to insist on. */
const unlikely: ReadonlySet<string> = new Set([
  "cell: following/snapshot × notification of forming",
  "cell: leading/synchronization × notification of forming",
]);

/** What was not met though it should, and what was met though it cannot be. */
export function coverageProblems(coverage: ReadonlyMap<string, number>): string[] {
  const problems = requiredCoverage()
    .filter((name) => (coverage.get(name) ?? 0) === 0)
    .map((name) => `never met: ${name}`);
  for (const name of coverage.keys()) {
    if (impossible.some((pattern) => pattern.test(name))) problems.push(`met, but declared impossible: ${name}`);
  }
  return problems;
}
