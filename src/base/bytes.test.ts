import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeErrorOf } from "../../test/support/decode-error.ts";
import { ByteReader, ByteWriter, DecodeError, readUtf8, utf8Length, writeUtf8 } from "./bytes.ts";

/** Whole numbers of every size, as likely small as large. */
const anyNumber = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.integer({ min: 0, max: 53 }).map((bits) => 2 ** bits - 1),
  fc.integer({ min: 0, max: 52 }).map((bits) => 2 ** bits),
);
const wellFormed = fc.string({ unit: "binary", maxLength: 80 });

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(1);
  write(writer);
  return writer.copy();
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

describe("varints", () => {
  it("come back as they were, in as few bytes as possible", () => {
    fc.assert(
      fc.property(anyNumber, (value) => {
        const encoded = written((writer) => writer.varint(value));
        const reader = new ByteReader(encoded);
        expect(reader.varint()).toBe(value);
        expect(reader.done).toBe(true);
        expect(encoded.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
      }),
      { numRuns: 2000 },
    );
  });

  it("have seven bits a byte, low bits first", () => {
    expect(written((writer) => writer.varint(300))).toEqual(bytes(0xac, 0x02));
    expect(written((writer) => writer.varint(Number.MAX_SAFE_INTEGER))).toEqual(
      bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
    );
  });

  const refused: readonly (readonly [string, Uint8Array])[] = [
    ["cut short", bytes(0x80)],
    ["nothing", bytes()],
    ["zero in two bytes", bytes(0x80, 0x00)],
    ["one in three bytes", bytes(0x81, 0x80, 0x00)],
    ["2^53", bytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)],
    ["2^56 - 1", bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)],
    ["nine bytes", bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)],
    ["a needless ninth byte", bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x8f, 0x00)],
  ];
  for (const [name, encoded] of refused) {
    it(`refuse ${name}`, () => expect(() => new ByteReader(encoded).varint()).toThrow(DecodeError));
  }

  it("have one encoding each: whatever is accepted would be written the same", () => {
    const byte = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0x81, 0xff), fc.nat(255));
    fc.assert(
      fc.property(fc.array(byte, { minLength: 1, maxLength: 10 }), (values) => {
        const reader = new ByteReader(Uint8Array.from(values));
        let value = -1;
        if (decodeErrorOf(() => (value = reader.varint())) !== undefined) return;
        expect(written((writer) => writer.varint(value))).toEqual(Uint8Array.from(values.slice(0, reader.at)));
      }),
      { numRuns: 3000 },
    );
  });
});

describe("signed numbers", () => {
  it("come back as they were", () => {
    const edges = fc.constantFrom(0, -1, 1, -64, 63, 64, 2147483647, -2147483648);
    fc.assert(
      fc.property(fc.oneof(fc.integer(), edges), (value) => {
        const reader = new ByteReader(written((writer) => writer.signed(value)));
        expect(reader.signed()).toBe(value);
        expect(reader.done).toBe(true);
      }),
    );
  });

  it("refuse more than 32 bits", () => {
    const encoded = written((writer) => writer.varint(2 ** 32));
    expect(() => new ByteReader(encoded).signed()).toThrow(DecodeError);
  });
});

it("fixed numbers come back as they were, low byte first", () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (value) => {
      const encoded = written((writer) => writer.fixed32(value));
      expect(Buffer.from(encoded).readUInt32LE()).toBe(value);
      expect(new ByteReader(encoded).fixed32()).toBe(value);
    }),
  );
  expect(() => new ByteReader(bytes(1, 2, 3)).fixed32()).toThrow(DecodeError);
});

describe("strings", () => {
  it("are written as everybody writes UTF-8, and come back", () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const encoded = Buffer.from(text);
        expect(utf8Length(text)).toBe(encoded.length);
        const room = new Uint8Array(encoded.length);
        expect(writeUtf8(text, room, 0)).toBe(encoded.length);
        expect(Buffer.from(room).equals(encoded)).toBe(true);
        expect(readUtf8(encoded, 0, encoded.length)).toBe(text);
        expect(new ByteReader(written((writer) => writer.string(text))).string()).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it("come back when they are long", () => {
    for (const text of ["x".repeat(10_000), "é".repeat(5000), `${"x".repeat(63)}€${"y".repeat(64)}\u{1f600}`]) {
      expect(new ByteReader(written((writer) => writer.string(text))).string()).toBe(text);
    }
  });

  it("with half a surrogate pair have room for what is written, and no reader takes them", () => {
    for (const text of ["\ud800", "a\udc00b", "\ud800\ud800", "\udc00\ud800"]) {
      const encoded = written((writer) => writer.string(text));
      expect(encoded.length).toBe(1 + utf8Length(text));
      expect(() => new ByteReader(encoded).string()).toThrow(DecodeError);
    }
  });

  it("are accepted exactly where the platform accepts them", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const interesting = fc.constantFrom(
      ...[0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf],
      ...[0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xf8, 0xff],
    );
    fc.assert(
      fc.property(fc.array(interesting, { maxLength: 6 }), (values) => {
        const encoded = Uint8Array.from(values);
        let expected: string | undefined;
        try {
          expected = strict.decode(encoded);
        } catch {
          expected = undefined;
        }
        let found: string | undefined;
        const error = decodeErrorOf(() => (found = readUtf8(encoded, 0, encoded.length)));
        expect(error === undefined ? found : undefined).toBe(expected);
      }),
      { numRuns: 20_000 },
    );
  });

  it("are refused when their length reaches beyond the end", () => {
    expect(() => new ByteReader(bytes(5, 0x61)).string()).toThrow(DecodeError);
    const huge = written((writer) => writer.varint(Number.MAX_SAFE_INTEGER));
    expect(() => new ByteReader(huge).string()).toThrow(DecodeError);
    expect(() => new ByteReader(huge).lengthPrefixed()).toThrow(DecodeError);
  });
});

it("a sequence of values of all kinds comes back, whatever the capacity at the start", () => {
  const value = fc.oneof(
    fc.record({ kind: fc.constant("varint" as const), value: anyNumber }),
    fc.record({ kind: fc.constant("signed" as const), value: fc.integer() }),
    fc.record({ kind: fc.constant("string" as const), value: wellFormed }),
    fc.record({ kind: fc.constant("lengthPrefixed" as const), value: fc.uint8Array({ maxLength: 100 }) }),
    fc.record({ kind: fc.constant("byte" as const), value: fc.nat(255) }),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 20 }), fc.nat(64), (values, capacity) => {
      const writer = new ByteWriter(capacity);
      writer.string("left over");
      writer.reset();
      for (const each of values) (writer[each.kind] as (value: unknown) => void).call(writer, each.value);
      const reader = new ByteReader(writer.view());
      for (const each of values) expect(reader[each.kind]()).toEqual(each.value);
      expect(reader.done).toBe(true);
      expect(() => reader.byte()).toThrow(DecodeError);
    }),
    { numRuns: 300 },
  );
});

it("a reader stays within the part it was given", () => {
  const all = bytes(9, 1, 2, 3, 9);
  const reader = new ByteReader(all, 1, 4);
  expect([...reader.raw(3)]).toEqual([1, 2, 3]);
  expect(() => reader.byte()).toThrow(DecodeError);
  expect(() => new ByteReader(all, 1, 4).raw(4)).toThrow(DecodeError);
  expect(() => new ByteReader(all, 1, 4).fixed32()).toThrow(DecodeError);
});

it("a view shows what was written, a copy keeps it", () => {
  const writer = new ByteWriter(8);
  writer.raw(bytes(1, 2, 3));
  const view = writer.view();
  const copy = writer.copy();
  writer.reset();
  writer.raw(bytes(7, 8, 9));
  expect([...view]).toEqual([7, 8, 9]);
  expect([...copy]).toEqual([1, 2, 3]);
});
