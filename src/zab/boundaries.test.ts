import { describe, expect, it } from "vitest";
import { areBoundaries, Boundaries } from "./boundaries.ts";

function at(zxid: number, epoch: number): { zxid: number; epoch: number } {
  return { zxid, epoch };
}

describe("boundaries", () => {
  const history = [at(10, 1), at(15, 3), at(20, 4)];

  it("know the epoch of every transaction", () => {
    const boundaries = new Boundaries(history);
    expect([0, 1, 10, 11, 15, 16, 20, 21].map((zxid) => boundaries.epochOf(zxid))).toEqual([0, 1, 1, 3, 3, 4, 4, 0]);
    expect([at(12, 3), at(12, 4), at(0, 0)].map((position) => boundaries.has(position))).toEqual([true, false, true]);
  });

  it("grow within an epoch and into later ones, never back", () => {
    const boundaries = new Boundaries(history);
    boundaries.extend(at(22, 4));
    boundaries.extend(at(23, 9));
    expect(boundaries.list()).toEqual([at(10, 1), at(15, 3), at(22, 4), at(23, 9)]);
    for (const end of [at(23, 9), at(24, 8), at(22, 10)]) expect(() => boundaries.extend(end)).toThrow("goes on");
  });

  it("are cut anywhere in the history, and nowhere else", () => {
    const boundaries = new Boundaries(history);
    expect(() => boundaries.truncate(at(12, 4))).toThrow("where it does not go");
    boundaries.truncate(at(12, 3));
    expect(boundaries.list()).toEqual([at(10, 1), at(12, 3)]);
    boundaries.truncate(at(10, 1));
    expect(boundaries.list()).toEqual([at(10, 1)]);
    boundaries.truncate(at(0, 0));
    expect(boundaries.last).toEqual(at(0, 0));
  });

  it("are told for a part of the history", () => {
    const boundaries = new Boundaries(history);
    expect(boundaries.between(0, 20)).toEqual(history);
    expect(boundaries.between(10, 12)).toEqual([at(12, 3)]);
    expect(boundaries.between(12, 17)).toEqual([at(15, 3), at(17, 4)]);
  });

  it.each([
    ["the same history", history, at(20, 4)],
    ["a shorter one", [at(10, 1), at(12, 3)], at(12, 3)],
    ["one that went on in an epoch of its own", [at(10, 1), at(14, 2)], at(10, 1)],
    ["one that went on longer in a shared epoch", [at(10, 1), at(18, 3)], at(15, 3)],
    ["one that went on in a later epoch", [...history, at(30, 7)], at(20, 4)],
    ["an empty one", [], at(0, 0)],
    ["one with nothing in common", [at(5, 2)], undefined],
    // Epoch 3 began elsewhere: these cannot be of one ensemble, so nothing is taken for common.
    ["one that cannot be", [at(9, 1), at(12, 3)], at(9, 1)],
  ])("find where two histories part: %s", (_name, other, common) => {
    expect(new Boundaries(history).lastCommon(other)).toEqual(common);
  });

  it("agree with a search through every transaction, for random histories of one ensemble", () => {
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 500; round++) {
      // Each epoch's leader continues a prefix of some earlier history.
      const histories: number[][] = [[]];
      for (let epoch = 1; epoch <= 6; epoch++) {
        const from = histories[random(histories.length)]!;
        const kept = from.slice(0, from.length - random(Math.min(4, from.length + 1)));
        histories.push([...kept, ...new Array<number>(1 + random(5)).fill(epoch)]);
      }
      const cutRandomly = (epochs: number[]): number[] => epochs.slice(0, random(epochs.length + 1));
      const a = cutRandomly(histories[1 + random(6)]!);
      const b = cutRandomly(histories[1 + random(6)]!);
      let common = 0;
      while (common < Math.min(a.length, b.length) && a[common] === b[common]) common++;
      const found = new Boundaries(endsOf(a)).lastCommon(endsOf(b));
      if (b.length > 0 && common === 0) expect(found).toBeUndefined();
      else expect(found?.zxid).toBe(common);
    }
  });

  it("from outside are checked", () => {
    expect(areBoundaries(history, at(20, 4))).toBe(true);
    expect(areBoundaries([], at(0, 0))).toBe(true);
    expect(areBoundaries(history, at(19, 4))).toBe(false);
    expect(areBoundaries([at(10, 3), at(12, 1)], at(12, 1))).toBe(false);
    expect(areBoundaries([at(10, 1), at(10, 2)], at(10, 2))).toBe(false);
    expect(areBoundaries([at(-1, -1)], at(-1, -1))).toBe(false);
  });
});

function endsOf(epochs: readonly number[]): { zxid: number; epoch: number }[] {
  const ends: { zxid: number; epoch: number }[] = [];
  epochs.forEach((epoch, index) => {
    if (ends.at(-1)?.epoch === epoch) ends.pop();
    ends.push({ zxid: index + 1, epoch });
  });
  return ends;
}
