import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordReader, TablePages } from "./table-pages.ts";
import { temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let path: string;
beforeEach(() => {
  dir = temporaryDirectory();
  path = join(dir.path, "some.db");
});
afterEach(() => dir.remove());

type Row = [id: number, number: number, text: string, blob: Uint8Array | null];

function write(rows: readonly Row[], pageSize = 4096): number {
  const db = new Database(path);
  db.pragma(`page_size = ${pageSize}`);
  db.exec("CREATE TABLE other (x); CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, b BLOB) STRICT");
  const insert = db.prepare("INSERT INTO t VALUES (?, ?, ?, ?)");
  db.transaction(() => {
    for (const row of rows) insert.run(...row);
  })();
  const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 't'").pluck().get() as number;
  db.close();
  return root;
}

function read(root: number): Row[] {
  const pages = new TablePages(path);
  const record = new RecordReader();
  const rows: Row[] = [];
  try {
    for (const leaf of pages.leaves(root)) {
      pages.forEachRow(leaf, record, (id) => {
        record.skipRowid();
        const number = record.integer();
        const text = record.text();
        const blob = record.blob();
        rows.push([id, number, text, blob === null ? null : Uint8Array.from(blob)]);
      });
    }
    return rows;
  } finally {
    pages.close();
  }
}

const edges = [
  0,
  1,
  2,
  127,
  128,
  255,
  256,
  32767,
  32768,
  2 ** 23 - 1,
  2 ** 23,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 47,
  2 ** 53 - 1,
];
const number = fc
  .oneof(fc.constantFrom(...edges, ...edges.map((edge) => -edge)), fc.maxSafeInteger())
  .map((n) => n + 0);
const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 30 }), fc.string({ maxLength: 300 }));
const size = fc.oneof(
  fc.nat({ max: 40 }),
  fc.integer({ min: 3900, max: 4200 }),
  fc.integer({ min: 8000, max: 30_000 }),
);
const blob = fc.oneof(
  fc.constant(null),
  fc
    .tuple(size, fc.nat({ max: 255 }))
    .map(([length, seed]) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255)),
);
const rows = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), number, text, blob), {
    selector: ([id]) => id,
    maxLength: 200,
  })
  .map((made) => made.sort((a, b) => a[0] - b[0]));

test("reads what SQLite wrote: every size of number, overflowing rows, any page size", () => {
  fc.assert(
    fc.property(rows, fc.constantFrom(512, 4096, 65536), (made, pageSize) => {
      const root = write(made, pageSize);
      expect(read(root)).toEqual(made);
      dir.remove();
      dir = temporaryDirectory();
      path = join(dir.path, "some.db");
    }),
    { numRuns: 60 },
  );
});

test("reads a table of several levels, written out of order and with holes", () => {
  const all = Array.from({ length: 20_000 }, (_, i): Row => [((i * 7919) % 20_000) + 1, i, `name ${i}`, null]);
  const root = write(all, 512);
  const db = new Database(path);
  db.exec("DELETE FROM t WHERE id % 3 = 0");
  db.close();
  const expected = all.filter(([id]) => id % 3 !== 0).sort((a, b) => a[0] - b[0]);
  expect(read(root)).toEqual(expected);
});

test("a file that was cut short is damaged, not empty", () => {
  const root = write(Array.from({ length: 5000 }, (_, i): Row => [i + 1, i, "x".repeat(50), null]));
  const file = openSync(path, "r+");
  ftruncateSync(file, 40 * 4096);
  closeSync(file);
  expect(() => read(root)).toThrow(/is not what its place in the file says/);
});
