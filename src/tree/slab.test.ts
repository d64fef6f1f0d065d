import fc from "fast-check";
import { expect, it } from "vitest";
import { noData, Slab } from "./slab.ts";

/** Lengths around the borders of units, size classes, large values and whole chunks. */
const length = fc.oneof(
  { weight: 6, arbitrary: fc.nat(200) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 15, 16, 17, 240, 241, 255, 256, 257, 319, 320, 321) },
  { weight: 2, arbitrary: fc.integer({ min: 1000, max: 20_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536, 65_537, 81_920, 1024 * 1024 - 1, 1024 * 1024) },
);

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("write" as const), length }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("rewrite" as const), pick: fc.nat(1000), length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("free" as const), pick: fc.nat(1000) }) },
);

/** Bytes that no other value has: overlapping blocks would show. */
function content(mark: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (mark * 31 + i * 7 + (i >> 8)) & 255;
  return bytes;
}

it("keeps every value as a map would, whatever is written, rewritten and freed", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 150, size: "max" }), (steps) => {
      const slab = new Slab();
      const values: { address: number; bytes: Uint8Array }[] = [];
      for (const [mark, each] of steps.entries()) {
        if (each.kind === "write" || values.length === 0) {
          const bytes = content(mark, each.kind === "free" ? 5 : each.length);
          values.push({ address: slab.write(bytes), bytes });
          continue;
        }
        const at = each.pick % values.length;
        const { address, bytes } = values[at]!;
        if (each.kind === "free") {
          slab.free(address, bytes.length);
          values.splice(at, 1);
        } else {
          const next = content(mark, each.length);
          values[at] = { address: slab.rewrite(address, bytes.length, next), bytes: next };
        }
      }
      for (const { address, bytes } of values) {
        expect(Buffer.compare(slab.read(address, bytes.length), bytes)).toBe(0);
      }
    }),
    { numRuns: 150 },
  );
});

it("keeps a copy: the caller may reuse its bytes", () => {
  const slab = new Slab();
  const bytes = content(1, 40);
  const address = slab.write(bytes);
  bytes.fill(0);
  expect(slab.read(address, 40)).toEqual(content(1, 40));
});

it("updates in place what fits the same block", () => {
  const slab = new Slab();
  const address = slab.write(content(1, 100));
  expect(slab.rewrite(address, 100, content(2, 110))).toBe(address);
  expect(slab.rewrite(address, 110, content(3, 97))).toBe(address);
  expect(slab.rewrite(address, 97, content(4, 200))).not.toBe(address);
});

it("reuses freed blocks and freed chunks instead of growing", () => {
  const slab = new Slab();
  for (const size of [100, 100_000]) {
    const first = slab.write(content(1, size));
    slab.write(content(2, size));
    slab.free(first, size);
    expect(slab.write(content(3, size))).toBe(first);
  }
});

it("needs no room for no bytes", () => {
  const slab = new Slab();
  expect(slab.write(new Uint8Array(0))).toBe(noData);
  expect(slab.read(noData, 0)).toHaveLength(0);
  const address = slab.rewrite(noData, 0, content(1, 20));
  expect(slab.read(address, 20)).toEqual(content(1, 20));
  expect(slab.rewrite(address, 20, new Uint8Array(0))).toBe(noData);
});

it("refuses a value above the size of a chunk", () => {
  expect(() => new Slab().write(new Uint8Array(1024 * 1024 + 1))).toThrow("exceeds");
});
