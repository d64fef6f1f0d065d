import { expect, it } from "vitest";
import { Fifo } from "./fifo.ts";

it("hands out what was put in, in order, across its own compaction", () => {
  const fifo = new Fifo<number>();
  const out: number[] = [];
  for (let i = 0; i < 5000; i++) {
    fifo.push(i);
    if (i % 3 !== 0) out.push(fifo.shift()!);
  }
  expect(fifo.length).toBe(5000 - out.length);
  out.push(...fifo.drain());
  expect(out).toEqual(Array.from({ length: 5000 }, (_, index) => index));
  expect(fifo.shift()).toBeUndefined();
  expect(fifo.length).toBe(0);
});
