import { expect, test } from "vitest";
import { Seed } from "./prng.ts";
import { Scheduler } from "./scheduler.ts";

function order(seed: number): number[] {
  const scheduler = new Scheduler(new Seed(seed).stream("ties"));
  const fired: number[] = [];
  const target = { fire: (what: number) => void fired.push(what) };
  const times = new Seed(99).stream("times");
  for (let i = 0; i < 5000; i++) scheduler.at(times.below(500), target, i);
  let last = 0;
  while (scheduler.step(Infinity)) {
    expect(scheduler.now).toBeGreaterThanOrEqual(last);
    last = scheduler.now;
  }
  expect(fired).toHaveLength(5000);
  return fired;
}

test("events come in the order of time; ties are broken by the seed, the same way each time", () => {
  expect(order(1)).toEqual(order(1));
  expect(order(1)).not.toEqual(order(2));
});

test("nothing beyond the limit is fired", () => {
  const scheduler = new Scheduler(new Seed(1).stream("ties"));
  const target = { fire: () => undefined };
  scheduler.at(10, target, 0);
  scheduler.at(20, target, 0);
  expect([scheduler.step(15), scheduler.step(15), scheduler.pending]).toEqual([true, false, 1]);
});
