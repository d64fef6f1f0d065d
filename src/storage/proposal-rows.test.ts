import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { emptyStat } from "../tree/stat.ts";
import { OpKind, type Txn, type TxnOp } from "../tree/txn.ts";
import { openForWriting, type Connection } from "./database.ts";
import { LogChain } from "./log-chain.ts";
import { scanLog } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import { LogStore } from "./log-store.ts";
import { encoded, temporaryDirectory } from "./testing/storage-fixture.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let db: Connection;
beforeEach(() => {
  dir = temporaryDirectory();
  db = openForWriting(join(dir.path, "log.db"), logFile);
});
afterEach(() => {
  db.close();
  dir.remove();
});

const whole = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, Number.MAX_SAFE_INTEGER), fc.maxSafeNat());
const int32 = fc.oneof(fc.constantFrom(0, -1, -0x80000000, 0x7fffffff), fc.integer());
const uint32 = fc.nat({ max: 0xffffffff });
const byte = fc.nat({ max: 255 });
const text = fc.oneof(fc.constant(""), fc.string({ unit: "binary", maxLength: 20 }), fc.constant("a\0b"));
const data = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 100 }));
const stat = fc.record({
  ...{ czxid: whole, mzxid: whole, pzxid: whole, ctime: whole, mtime: whole, version: int32, aversion: int32 },
  ...{ owner: whole, sequence: whole, children: whole, kind: byte, dataLength: whole },
});
const op: fc.Arbitrary<TxnOp> = fc
  .record({
    // Founding rows are read when they are written, so they need a real detail.
    kind: byte.filter((kind) => kind !== OpKind.found),
    ...{ cause: byte, code: whole, failedOp: whole, mode: byte, path: text, znode: whole, parent: whole, acl: whole },
    ...{ parentAcl: whole, data, crc: uint32, stat, prevZxid: whole, detail: text },
  })
  .map(({ crc, ...rest }) => ({ ...rest, newAcl: "", dataCrc: rest.data === null ? 0 : crc }));
const header = fc.record({
  ...{ time: whole, session: whole, seq: whole, acked: whole, fingerprint: whole, who: text, request: whole },
});
const txn = fc.tuple(header, fc.array(op, { minLength: 1, maxLength: 4 }), fc.boolean());

test("rows and canonical bytes are the same thing in two forms", () => {
  let before = 0;
  const store = new LogStore(db);
  let acl = 100;
  fc.assert(
    fc.property(fc.array(txn, { minLength: 1, maxLength: 5 }), (made) => {
      const txns: Txn[] = made.map(([fields, ops, withAcl], i) => {
        // An ACL gets its number once, so a row that adds one has a number of its own.
        const first = withAcl ? { ...ops[0]!, acl: ++acl, newAcl: `digest:${acl}:x:r` } : ops[0]!;
        return { ...fields, zxid: before + 1 + i, epoch: 3, ops: [first, ...ops.slice(1)] };
      });
      const bytes = encoded(txns);
      const lastZxid = before + txns.length;
      store.beginBatch();
      store.append({ bytes, firstZxid: before + 1, lastZxid, epoch: 3, committed: { zxid: 0, epoch: 0 } });
      store.commitBatch();
      const stored = [...scanLog(db, before, lastZxid)];
      expect(encoded(stored.map((each) => each.txn))).toEqual(bytes);
      before = lastZxid;
    }),
    { numRuns: 150 },
  );
  // The chain that was written over the bytes verifies over the rows.
  const chain = new LogChain({ zxid: 0, epoch: 0, crc: 0 });
  for (const stored of scanLog(db, 0, before)) chain.verify(stored);
  expect(chain.point).toEqual({ ...store.last, crc: chain.crc });
});

test("no data and empty data stay apart", () => {
  const ops = [null, new Uint8Array(0)].map((value) => {
    return { ...blank(), kind: OpKind.setData, data: value };
  });
  const bytes = encoded([{ ...blankHeader(), zxid: 1, epoch: 1, ops }]);
  const store = new LogStore(db);
  store.beginBatch();
  store.append({ bytes, firstZxid: 1, lastZxid: 1, epoch: 1, committed: { zxid: 0, epoch: 0 } });
  store.commitBatch();
  expect(db.prepare("SELECT data IS NULL FROM proposal ORDER BY op").pluck().all()).toEqual([1, 0]);
});

function blank(): TxnOp {
  return {
    ...{ kind: 4, cause: 1, code: 0, failedOp: 0, mode: 0, path: "/", znode: 1, parent: 0, acl: 1, newAcl: "" },
    ...{ parentAcl: 0, data: null, dataCrc: 0, stat: emptyStat(), prevZxid: 0, detail: "" },
  };
}

function blankHeader(): Omit<Txn, "zxid" | "epoch" | "ops"> {
  return { time: 1, session: 0, seq: 0, acked: 0, fingerprint: 0, who: "", request: 1 };
}
