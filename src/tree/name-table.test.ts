import fc from "fast-check";
import { expect, it } from "vitest";
import { NamePacker, NameTable } from "./name-table.ts";
import { chunkSlots } from "./znode-table.ts";

/** Names of one and of two bytes a unit, short, and as long as a path may be. */
const name = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12 }) },
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom("a", "b", "ÿ", "Ā", "路"), { maxLength: 6 }).map((a) => a.join("")),
  },
  { weight: 1, arbitrary: fc.constantFrom("x".repeat(1023), "路".repeat(340)) },
);

it("keeps names as an array of strings would, whatever is set and released", () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("set" as const), name }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("replace" as const), pick: fc.nat(), name }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
      const table = new NameTable();
      const names: string[] = [];
      for (const each of steps) {
        let slot = names.length;
        if (each.kind === "replace" && names.length > 0) {
          slot = each.pick % names.length;
          table.release(slot);
        }
        names[slot] = each.name;
        table.set(slot, each.name);
      }
      expect(names.map((_, slot) => table.name(slot))).toEqual(names);
    }),
  );
});

it("orders names as strings are ordered", () => {
  fc.assert(
    fc.property(name, name, (a, b) => {
      const table = new NameTable();
      table.set(0, a);
      table.set(1, b);
      const expected = a < b ? -1 : a > b ? 1 : 0;
      expect(Math.sign(table.compare(0, b))).toBe(expected);
      expect(Math.sign(table.compareSlots(0, 1))).toBe(expected);
      expect(table.compare(1, b)).toBe(0);
    }),
  );
});

it("finds a name at the end of a path and nowhere else", () => {
  fc.assert(
    fc.property(name, name, name, (before, own, after) => {
      const table = new NameTable();
      table.set(0, own);
      const path = before + own + after;
      for (let end = 0; end <= path.length; end++) {
        const expected = path.slice(0, end).endsWith(own) ? end - own.length : -1;
        if (table.startIn(0, path, end) !== expected) expect([path, end, table.startIn(0, path, end)]).toBe(expected);
      }
    }),
    { numRuns: 50 },
  );
});

it("adopts packed names behind others, and goes on with names of its own", () => {
  const table = new NameTable();
  const all: string[] = [];
  for (let chunk = 0; chunk < 3; chunk++) {
    const packer = new NamePacker();
    // The last but one is larger than a chunk of bytes.
    const count = chunk === 1 ? chunkSlots : 100;
    for (let i = 0; i < count; i++) {
      const each = `${"n".repeat(chunk === 1 ? 60 : 0)}${i % 3 === 0 ? "é" : i % 3 === 1 ? "路" : ""}${chunk}-${i}`;
      packer.add(each);
      all[chunk * chunkSlots + i] = each;
    }
    table.adopt(chunk * chunkSlots, packer.finish());
  }
  for (let slot = 2 * chunkSlots + 100; slot < 4 * chunkSlots; slot += 911) table.set(slot, (all[slot] = `own${slot}`));
  for (const [slot, expected] of Object.entries(all)) expect(table.name(Number(slot))).toBe(expected);
});
