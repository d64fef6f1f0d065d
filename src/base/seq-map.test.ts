import fc from "fast-check";
import { expect, it } from "vitest";
import { SeqMap } from "./seq-map.ts";

it("does what a Map does, for keys that move upwards", () => {
  const step = fc.record({ kind: fc.constantFrom("set", "delete", "get"), offset: fc.nat(40), advance: fc.nat(3) });
  fc.assert(
    fc.property(fc.nat(1000), fc.array(step, { maxLength: 300 }), (start, steps) => {
      const map = new SeqMap<string>();
      const model = new Map<number, string>();
      let base = start;
      for (const [index, { kind, offset, advance }] of steps.entries()) {
        const key = base + offset;
        if (kind === "set") {
          map.set(key, `v${index}`);
          model.set(key, `v${index}`);
        } else if (kind === "delete") {
          map.delete(key);
          model.delete(key);
        }
        base += advance;
        expect(map.get(key)).toBe(model.get(key));
        expect(map.has(key)).toBe(model.has(key));
        expect(map.size).toBe(model.size);
      }
      const inOrder = [...model].sort(([a], [b]) => a - b).map(([, value]) => value);
      expect([...map.values()]).toEqual(inOrder);
    }),
  );
});

it("does not grow while its keys move on", () => {
  const map = new SeqMap<number>();
  for (let key = 1; key <= 100_000; key++) {
    map.set(key, key);
    map.delete(key - 10);
  }
  expect(map.size).toBe(10);
  expect((map as unknown as { ring: unknown[] }).ring.length).toBe(16);
});
