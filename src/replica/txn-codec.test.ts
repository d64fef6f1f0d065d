import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeErrorOf } from "../../test/support/decode-error.ts";
import { ByteReader, ByteWriter, DecodeError } from "../base/bytes.ts";
import { blankOp } from "../tree/prepare.ts";
import { emptyStat, type Stat } from "../tree/stat.ts";
import { OpKind, type Txn, type TxnOp } from "../tree/txn.ts";
import { decodeTxn, encodeTxn } from "./txn-codec.ts";

const whole = fc.oneof(fc.nat(100), fc.maxSafeNat());
const small = fc.nat(255);
const version = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer());
const text = fc.string({ unit: "grapheme", maxLength: 30 });

const stat: fc.Arbitrary<Stat> = fc.record({
  czxid: whole,
  mzxid: whole,
  pzxid: whole,
  ctime: whole,
  mtime: whole,
  version,
  aversion: version,
  owner: whole,
  sequence: whole,
  children: whole,
  kind: small,
  dataLength: whole,
});

const op: fc.Arbitrary<TxnOp> = fc
  .record({
    kind: small,
    cause: small,
    code: whole,
    failedOp: whole,
    mode: small,
    path: text,
    znode: whole,
    parent: whole,
    acl: whole,
    newAcl: text,
    parentAcl: whole,
    data: fc.option(fc.uint8Array({ maxLength: 100 })),
    stat,
    prevZxid: whole,
    detail: text,
  })
  .map((fields) => ({ ...fields, dataCrc: fields.data === null ? 0 : zlibCrc32(fields.data) }));

const txn: fc.Arbitrary<Txn> = fc.record({
  zxid: whole,
  epoch: whole,
  time: whole,
  session: whole,
  seq: whole,
  acked: whole,
  fingerprint: whole,
  who: text,
  request: whole,
  ops: fc.array(op, { minLength: 1, maxLength: 5 }),
});

function encoded(...txns: Txn[]): Uint8Array {
  const writer = new ByteWriter(16);
  for (const each of txns) encodeTxn(each, writer);
  return writer.copy();
}

const sample: Txn = {
  zxid: 5,
  epoch: 2,
  time: 1_700_000_000_000,
  session: 3,
  seq: 1,
  acked: 0,
  fingerprint: 77,
  who: "digest:bob:B",
  request: 2,
  ops: [
    { ...blankOp(OpKind.create, "/a", emptyStat()), znode: 5, parent: 1, acl: 1, data: new Uint8Array([1, 2, 3]) },
    blankOp(OpKind.check, "/a", emptyStat()),
  ],
};

describe("transactions", () => {
  it("come back as they were, one after the other", () => {
    fc.assert(
      fc.property(fc.array(txn, { maxLength: 4 }), (txns) => {
        const reader = new ByteReader(encoded(...txns));
        expect(txns.map(() => decodeTxn(reader))).toEqual(txns);
        expect(reader.done).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("tell no data from empty data", () => {
    const ops = [null, new Uint8Array(0)].map((data) => ({ ...blankOp(OpKind.setData, "/a", emptyStat()), data }));
    const back = decodeTxn(new ByteReader(encoded({ ...sample, ops })));
    expect(back.ops.map((each) => each.data)).toEqual([null, new Uint8Array(0)]);
  });

  it("are written after what is in the writer already", () => {
    const writer = new ByteWriter(4);
    writer.string("before");
    encodeTxn(sample, writer);
    const reader = new ByteReader(writer.view());
    expect(reader.string()).toBe("before");
    expect(decodeTxn(reader)).toEqual(sample);
  });

  it("carry 16 MiB", () => {
    const data = new Uint8Array(1024 * 1024).fill(5);
    const ops = Array.from({ length: 16 }, () => ({ ...sample.ops[0]!, data }));
    const back = decodeTxn(new ByteReader(encoded({ ...sample, ops })));
    expect(back.ops).toHaveLength(16);
    expect(Buffer.compare(back.ops[15]!.data!, data)).toBe(0);
  });
});

describe("segments", () => {
  it("end after the header with the first operation, and after each further operation", () => {
    fc.assert(
      fc.property(txn, txn, (first, second) => {
        const bytes = encoded(first, second);
        const length = encoded(first).length;
        const reader = new ByteReader(bytes);
        const ends: number[] = [];
        decodeTxn(reader, ends);
        expect(ends).toHaveLength(first.ops.length);
        expect(ends.at(-1)).toBe(length);
        expect(ends.toSorted((a, b) => a - b)).toEqual(ends);
        decodeTxn(reader, ends);
        expect(ends).toHaveLength(first.ops.length + second.ops.length);
        expect(ends.at(-1)).toBe(bytes.length);
      }),
      { numRuns: 100 },
    );
  });

  it("differ in bytes where transactions differ only in how they are divided into rows", () => {
    const one = encoded({ ...sample, ops: [sample.ops[1]!] });
    const two = encoded({ ...sample, ops: [sample.ops[1]!, sample.ops[1]!] });
    expect(Buffer.from(two).subarray(4, one.length).equals(Buffer.from(one).subarray(4))).toBe(false);
  });
});

describe("what is not an encoding is refused with a DecodeError and nothing else:", () => {
  /** Decodes; if that succeeds the bytes must be the one encoding of what came out. */
  function refusedOrCanonical(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    let decoded: Txn | undefined;
    if (decodeErrorOf(() => (decoded = decodeTxn(reader))) !== undefined) return;
    if (Buffer.compare(encoded(decoded!), bytes.subarray(0, reader.at)) !== 0) {
      expect.fail(`not canonical: ${Buffer.from(bytes).toString("hex")}`);
    }
  }

  it("garbage", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refusedOrCanonical(bytes)),
      { numRuns: 2000 },
    );
  });

  it("garbage behind a plausible length and format", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(3), small), { maxLength: 120 }), (values) => {
        const writer = new ByteWriter();
        writer.fixed32(values.length + 1);
        writer.varint(1);
        writer.raw(Uint8Array.from(values));
        refusedOrCanonical(writer.copy());
      }),
      { numRuns: 3000 },
    );
  });

  it("a transaction with some bytes changed", () => {
    const change = fc.tuple(fc.nat(10_000), small);
    fc.assert(
      fc.property(txn, fc.array(change, { minLength: 1, maxLength: 3 }), (original, changes) => {
        const bytes = encoded(original);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        refusedOrCanonical(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it("a transaction with any one byte changed to anything", () => {
    const bytes = encoded(sample);
    for (let at = 0; at < bytes.length; at++) {
      for (let value = 0; value < 256; value++) {
        const changed = bytes.slice();
        changed[at] = value;
        refusedOrCanonical(changed);
      }
    }
  });

  it("every beginning of a transaction", () => {
    const bytes = encoded(sample);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeTxn(new ByteReader(bytes.subarray(0, length)))).toThrow(DecodeError);
    }
  });

  it("a transaction whose length says more or less than is there", () => {
    for (const change of [-1, 1]) {
      const bytes = encoded(sample, sample);
      bytes[0] = bytes[0]! + change;
      expect(() => decodeTxn(new ByteReader(bytes))).toThrow(DecodeError);
    }
  });

  it("an unknown format", () => {
    const bytes = encoded(sample);
    bytes[4] = 2;
    expect(() => decodeTxn(new ByteReader(bytes))).toThrow("unknown transaction format 2");
  });

  it("no operations", () => {
    expect(() => decodeTxn(new ByteReader(encoded({ ...sample, ops: [] })))).toThrow(DecodeError);
  });

  it("more operations than bytes, without trying to read them", () => {
    const writer = new ByteWriter();
    writer.fixed32(0);
    for (const value of [1, 5, 2, 9, 0, 0, 0, 0]) writer.varint(value);
    writer.string("");
    writer.varint(2);
    writer.varint(Number.MAX_SAFE_INTEGER);
    const bytes = writer.copy();
    bytes[0] = bytes.length - 4;
    expect(() => decodeTxn(new ByteReader(bytes))).toThrow("without operations");
  });
});
