/**
 * Makes a failing scenario small: fewer calls, a shorter run, fewer servers, whole classes of faults off, then
 * delta debugging over the faults that remain. A smaller scenario counts when it fails the same check.
 */
import type { Fault, Scenario } from "./fault.ts";

export type Fails = (scenario: Scenario) => boolean;

export function shrink(scenario: Scenario, failedAtMs: number, fails: Fails, budget: number): Scenario {
  let left = budget;
  let best = scenario;
  const attempt = (candidate: Scenario): boolean => {
    if (left <= 0) return false;
    left--;
    if (!fails(candidate)) return false;
    best = candidate;
    return true;
  };
  // What comes after the failure did not cause it.
  attempt({ ...best, faults: best.faults.filter(({ at }) => at <= failedAtMs) });
  for (const callEvery of [best.callEvery * 16, best.callEvery * 4]) if (attempt({ ...best, callEvery })) break;
  if (best.observers > 0) attempt({ ...best, observers: 0 });
  if (best.voters > 3) attempt({ ...best, voters: 3 });
  attempt({ ...best, clockRates: best.clockRates.map(() => 1) });
  for (const kind of new Set(best.faults.map((fault) => fault.kind))) {
    attempt({ ...best, faults: best.faults.filter((fault) => fault.kind !== kind) });
  }
  ddmin(best.faults, (faults) => attempt({ ...best, faults }));
  const last = best.faults.at(-1)?.at ?? 0;
  attempt({ ...best, faultyMs: Math.min(best.faultyMs, last + 3000) });
  return best;
}

/** Removes ever smaller pieces as long as that succeeds. */
function ddmin(faults: readonly Fault[], attempt: (faults: readonly Fault[]) => boolean): void {
  let current = faults;
  for (let size = Math.ceil(current.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < current.length;) {
      const without = [...current.slice(0, start), ...current.slice(start + size)];
      if (attempt(without)) current = without;
      else start += size;
    }
  }
}
