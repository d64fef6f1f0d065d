import fc from "fast-check";
import { expect, it } from "vitest";
import { ChildIndex } from "./child-index.ts";
import { NameTable } from "./name-table.ts";

/** An index beside a plain sorted list of the same names. */
class Twins {
  readonly names = new NameTable();
  readonly index = new ChildIndex(this.names);
  private slots = 0;
  readonly sorted: { name: string; slot: number }[] = [];

  private position(name: string): number {
    let at = 0;
    let end = this.sorted.length;
    while (at < end) {
      const middle = (at + end) >> 1;
      if (Buffer.compare(Buffer.from(this.sorted[middle]!.name), Buffer.from(name)) < 0) at = middle + 1;
      else end = middle;
    }
    return at;
  }

  has(name: string): boolean {
    return this.sorted[this.position(name)]?.name === name;
  }

  newSlot(name: string): number {
    this.names.set(this.slots, name);
    return this.slots++;
  }

  insert(name: string): void {
    this.add(name, (slot) => {
      this.index.insert(slot);
    });
  }

  /** As while a tree is loaded. */
  gather(name: string): void {
    this.add(name, (slot) => {
      this.index.gather(slot);
    });
  }

  private add(name: string, addTo: (slot: number) => void): void {
    const slot = this.newSlot(name);
    addTo(slot);
    this.sorted.splice(this.position(name), 0, { name, slot });
  }

  remove(name: string): void {
    const [removed] = this.sorted.splice(this.position(name), 1);
    this.index.remove(removed!.slot);
  }

  /** Slots after a name, by the index and by the list. */
  expectSameAfter(name: string, most = Infinity): void {
    const found: number[] = [];
    this.index.forEachAfter(name, (slot) => found.push(slot) < most);
    const from = this.position(name) + (this.has(name) ? 1 : 0);
    expect(found).toEqual(this.sorted.slice(from, from + most).map(({ slot }) => slot));
    expect(this.index.firstAfter(name)).toBe(this.sorted[from]?.slot ?? -1);
  }
}

/** A generator of numbers that is the same in every run of the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}

it("holds tens of thousands of names in byte order, through splits and emptied leaves", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const random = numbers(seed);
      const twins = new Twins();
      const nameOf = (n: number): string =>
        n % 3 === 0 ? `${n % 2 === 0 ? "é" : "路"}${n}` : n % 3 === 1 ? `lock-${n}` : String(n);
      // Waves: grow, shrink to almost nothing, grow again.
      for (const [operations, chanceOfRemoval] of [
        [6000, 10],
        [9000, 80],
        [5000, 30],
      ] as const) {
        for (let i = 0; i < operations; i++) {
          if (twins.sorted.length > 0 && random(100) < chanceOfRemoval) {
            twins.remove(twins.sorted[random(twins.sorted.length)]!.name);
          } else {
            const name = nameOf(random(20_000));
            if (!twins.has(name)) twins.insert(name);
          }
          if (i % 97 === 0) twins.expectSameAfter(nameOf(random(20_000)), 5);
        }
        twins.expectSameAfter("");
        twins.expectSameAfter(nameOf(random(20_000)));
      }
      while (twins.sorted.length > 0) twins.remove(twins.sorted[random(twins.sorted.length)]!.name);
      twins.expectSameAfter("");
    }),
    { numRuns: 3 },
  );
});

const orders: readonly (readonly [string, (i: number, count: number) => number])[] = [
  ["rising", (i) => i],
  ["falling", (i, count) => count - 1 - i],
  ["from both ends", (i, count) => (i % 2 === 0 ? i / 2 : count - 1 - (i - 1) / 2)],
  ["scattered", (i, count) => (i * 7919) % count],
];
for (const [name, order] of orders) {
  it(`takes and gives back names in ${name} order`, () => {
    const count = 5000;
    const twins = new Twins();
    const nth = (i: number): string => String(order(i, count)).padStart(10, "0");
    for (let i = 0; i < count; i++) twins.insert(nth(i));
    twins.expectSameAfter("");
    for (let i = 0; i < count; i++) {
      twins.remove(nth(i));
      if (i % 500 === 0) twins.expectSameAfter("");
    }
    twins.expectSameAfter("");
  });
}

for (const [count, when] of [
  [300, "by who first asks"],
  [2000, "by who first asks"],
  [6000, "at the end of loading"],
] as const) {
  it(`sorts ${count} names that gathered while loading, ${when}`, () => {
    for (const use of ["list", "insert", "remove"] as const) {
      const twins = new Twins();
      for (let i = 0; i < count; i++) twins.gather(`k${(i * 7919) % count}`);
      twins.index.finishGathering();
      if (use === "insert") twins.insert("k1x");
      else if (use === "remove") twins.remove("k17");
      twins.expectSameAfter("");
      for (let i = 0; i < count; i += 3) twins.insert(`k${i}-`);
      twins.expectSameAfter("");
    }
  });
}

it("continues after a name that is not there", () => {
  const twins = new Twins();
  for (let i = 0; i < 2000; i++) twins.insert(String(i * 2).padStart(6, "0"));
  for (const name of ["000000", "000001", "000511", "001023", "001024", "003998", "003999", "zzz", "!"]) {
    twins.expectSameAfter(name, 10);
  }
});

it("does not remove what is not there", () => {
  const twins = new Twins();
  twins.insert("a");
  const slot = twins.newSlot("b");
  expect(() => twins.index.remove(slot)).toThrow("missing");
});
