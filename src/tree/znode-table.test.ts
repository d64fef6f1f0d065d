import { expect, it } from "vitest";
import { chunkRecords, chunkSlots, Narrow, Wide, ZnodeTable } from "./znode-table.ts";

const wideFields = Object.values(Wide);
const narrowFields = Object.values(Narrow);

it("keeps every field of every slot apart, across chunks", () => {
  const table = new ZnodeTable();
  const count = chunkSlots + 3;
  for (let i = 0; i < count; i++) expect(table.allocate()).toBe(i);
  const slots = [0, 1, chunkSlots - 1, chunkSlots, count - 1];
  for (const slot of slots) {
    for (const field of wideFields) table.setWide(slot, field, 2 ** 53 - 1 - slot * 100 - field);
    for (const field of narrowFields) table.setNarrow(slot, field, -(2 ** 31) + slot * 100 + field);
  }
  for (const slot of slots) {
    for (const field of wideFields) expect(table.wide(slot, field)).toBe(2 ** 53 - 1 - slot * 100 - field);
    for (const field of narrowFields) expect(table.narrow(slot, field)).toBe(-(2 ** 31) + slot * 100 + field);
  }
  expect(table.wide(2, Wide.czxid)).toBe(0);
});

it("hands out a released slot again, with every field 0", () => {
  const table = new ZnodeTable();
  const [, second] = [table.allocate(), table.allocate(), table.allocate()];
  for (const field of wideFields) table.setWide(second, field, 5);
  for (const field of narrowFields) table.setNarrow(second, field, 5);
  table.release(second);
  expect(table.allocate()).toBe(second);
  expect(wideFields.map((field) => table.wide(second, field))).toEqual(wideFields.map(() => 0));
  expect(narrowFields.map((field) => table.narrow(second, field))).toEqual(narrowFields.map(() => 0));
  expect(table.slotCount).toBe(3);
});

it("adopts a chunk and fills its unused end before it grows", () => {
  const table = new ZnodeTable();
  const records = new ArrayBuffer(chunkRecords);
  new Float64Array(records)[16 + Wide.id] = 77;
  expect(table.adopt(records, 2)).toBe(0);
  expect(table.wide(1, Wide.id)).toBe(77);
  expect([table.allocate(), table.allocate()]).toEqual([2, 3]);
  expect(table.adopt(new ArrayBuffer(chunkRecords), chunkSlots)).toBe(chunkSlots);
  for (let i = 4; i < chunkSlots; i++) expect(table.allocate()).toBe(i);
  expect(table.allocate()).toBe(2 * chunkSlots);
  expect(() => table.adopt(new ArrayBuffer(chunkRecords), 1)).toThrow("whole");
});
