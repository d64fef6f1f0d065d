import { expect, it } from "vitest";
import { grpcCodeOf, reasonNumber, reasonOfNumber, reasons, reasonTable } from "./reasons.ts";

it("each reason has a number of its own, and the number leads back to it", () => {
  const numbers = reasons.map(reasonNumber);
  expect(new Set(numbers).size).toBe(reasons.length);
  expect(Math.min(...numbers)).toBe(1);
  for (const reason of reasons) expect(reasonOfNumber(reasonNumber(reason))).toBe(reason);
});

it("numbers that mean nothing lead to nothing", () => {
  expect([0, -1, 250, 1.5].map(reasonOfNumber)).toEqual([undefined, undefined, undefined, undefined]);
});

it("no reason is a success on the wire, and all say what they mean", () => {
  for (const reason of reasons) {
    expect(grpcCodeOf(reason)).toBeGreaterThan(0);
    expect(reasonTable[reason].meaning).toMatch(/\.$/);
  }
});
