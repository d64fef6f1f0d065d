import { describe, expect, it } from "vitest";
import { transaction, transactions, wordOf } from "../../test/support/zab-world.ts";
import { Boundaries } from "./boundaries.ts";
import { countTransactions, endOf, HistoryWindow } from "./history-window.ts";

function batch(first: number, last: number): Uint8Array {
  const parts = Array.from({ length: last - first + 1 }, (_, index) => [...transaction(1, `t${first + index}`)]);
  return Uint8Array.from(parts.flat());
}

function filled(budget: number): HistoryWindow {
  const window = new HistoryWindow(budget, 4);
  window.push(batch(5, 5), 5, 5);
  window.push(batch(6, 9), 6, 9);
  window.push(batch(10, 12), 10, 12);
  return window;
}

function words(window: HistoryWindow, from: number, to: number): string[] {
  const found: string[] = [];
  window.forEach(from, to, (bytes, firstZxid, lastZxid) => {
    const part = transactions(bytes).map(wordOf);
    expect(part).toEqual(Array.from({ length: lastZxid - firstZxid + 1 }, (_, index) => `t${firstZxid + index}`));
    found.push(...part);
  });
  return found;
}

describe("the window of recent history", () => {
  it("hands over any range, within batches and across them", () => {
    const window = filled(Infinity);
    for (let from = 5; from <= 12; from++) {
      for (let to = from; to <= 12; to++) expect(words(window, from, to)).toHaveLength(to - from + 1);
    }
    expect(() => words(window, 4, 6)).toThrow("does not hold");
    expect(() => words(window, 5, 13)).toThrow("does not hold");
  });

  it("drops what is delivered when the budget asks for it, and never what is not", () => {
    const window = filled(0);
    window.trim(4);
    expect(window.firstZxid).toBe(5);
    window.trim(8);
    expect(window.firstZxid).toBe(6);
    window.trim(12);
    expect(window.firstZxid).toBe(13);
    const roomy = filled(1000);
    roomy.trim(12);
    expect(roomy.firstZxid).toBe(5);
  });

  it("is cut anywhere, and goes on from there", () => {
    for (let zxid = 4; zxid <= 12; zxid++) {
      const window = filled(Infinity);
      window.truncate(zxid);
      window.push(batch(zxid + 1, zxid + 2), zxid + 1, zxid + 2);
      expect(words(window, 5, zxid + 2)).toHaveLength(zxid - 2);
    }
    const emptied = new HistoryWindow(0, 9);
    emptied.truncate(7);
    emptied.push(batch(8, 8), 8, 8);
    expect(emptied.firstZxid).toBe(8);
  });

  it("refuses a hole", () => {
    expect(() => filled(0).push(batch(14, 14), 14, 14)).toThrow("contiguous");
  });

  it("is read in pieces", () => {
    const boundaries = new Boundaries([{ zxid: 12, epoch: 1 }]);
    const window = filled(Infinity);
    const sizes: number[] = [];
    for (let next = 5; next <= 12;) {
      const piece = window.read(next, 40, boundaries);
      expect(piece.firstZxid).toBe(next);
      expect(countTransactions(piece.bytes)).toBe(endOf(piece) - next + 1);
      sizes.push(endOf(piece) - next + 1);
      next = endOf(piece) + 1;
    }
    expect(sizes.length).toBeGreaterThan(1);
  });

  it("counts transactions, and sees broken framing", () => {
    expect(countTransactions(batch(1, 7))).toBe(7);
    expect(countTransactions(batch(1, 7).slice(0, -1))).toBe(-1);
    expect(countTransactions(new Uint8Array([1, 0, 0]))).toBe(-1);
    expect(countTransactions(new Uint8Array(0))).toBe(0);
  });
});
