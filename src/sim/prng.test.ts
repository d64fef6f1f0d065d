import { expect, test } from "vitest";
import { Seed } from "./prng.ts";

test("a stream repeats, and differs from its neighbours and from other seeds", () => {
  const draw = (seed: string | number, name: string) => {
    const stream = new Seed(seed).stream(name);
    return Array.from({ length: 8 }, () => stream.next());
  };
  expect(draw(1, "disk.1")).toEqual(draw("1", "disk.1"));
  expect(draw(1, "disk.1")).not.toEqual(draw(1, "disk.2"));
  expect(draw(1, "disk.1")).not.toEqual(draw(2, "disk.1"));
});

test("draws are spread evenly", () => {
  const stream = new Seed(7).stream("x");
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[stream.below(10)]!++;
  for (const count of counts) expect(count).toBeGreaterThan(9_500);
  for (let i = 0; i < 1000; i++) {
    const drawn = stream.between(3, 5);
    expect(drawn >= 3 && drawn <= 5).toBe(true);
  }
});
