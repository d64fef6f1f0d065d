/**
 * Protobuf's wire format by hand, for the messages of the session stream's hot path, where creating message objects
 * would cost more than the request itself. Sizes are computed first, so nothing is moved or written twice. Tests hold
 * every encoder and decoder here against the generated code.
 */
import { ByteWriter } from "../base/bytes.ts";
import { cversion, type Stat } from "../tree/stat.ts";

export const Wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Bytes a varint takes: numbers of int64 and int32 fields. Negative ones take ten. */
export function varintSize(value: number): number {
  if (value < 0) return 10;
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  if (value < 0x800000000) return 5;
  if (value < 0x40000000000) return 6;
  if (value < 0x2000000000000) return 7;
  return 8;
}

/** Bytes a varint field takes; nothing when it is 0. Tags below 16 take one byte. */
export function numberSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes a nested message, string or bytes field takes. */
export function lengthSize(length: number): number {
  return 1 + varintSize(length) + length;
}

export function writeVarint(writer: ByteWriter, value: number): void {
  if (value >= 0) writer.varint(value);
  else writeNegative(writer, value);
}

/** Sign-extended to 64 bits: ten bytes. */
function writeNegative(writer: ByteWriter, value: number): void {
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    writer.byte(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  writer.byte(Number(rest));
}

export function writeNumber(writer: ByteWriter, field: number, value: number): void {
  if (value === 0) return;
  writer.byte((field << 3) | Wire.varint);
  writeVarint(writer, value);
}

/** Tag and length of a nested message, string or bytes field; the content follows. */
export function writeLength(writer: ByteWriter, field: number, length: number): void {
  writer.byte((field << 3) | Wire.bytes);
  writer.varint(length);
}

/** Size of a Stat's content. */
export function statSize(stat: Stat): number {
  return (
    numberSize(stat.czxid) +
    numberSize(stat.mzxid) +
    numberSize(stat.pzxid) +
    numberSize(stat.ctime) +
    numberSize(stat.mtime) +
    numberSize(stat.version) +
    numberSize(cversion(stat)) +
    numberSize(stat.aversion) +
    numberSize(stat.owner) +
    numberSize(stat.dataLength) +
    numberSize(stat.children) +
    numberSize(stat.sequence) +
    numberSize(stat.kind)
  );
}

export function writeStat(writer: ByteWriter, stat: Stat): void {
  writeNumber(writer, 1, stat.czxid);
  writeNumber(writer, 2, stat.mzxid);
  writeNumber(writer, 3, stat.pzxid);
  writeNumber(writer, 4, stat.ctime);
  writeNumber(writer, 5, stat.mtime);
  writeNumber(writer, 6, stat.version);
  writeNumber(writer, 7, cversion(stat));
  writeNumber(writer, 8, stat.aversion);
  writeNumber(writer, 9, stat.owner);
  writeNumber(writer, 10, stat.dataLength);
  writeNumber(writer, 11, stat.children);
  writeNumber(writer, 12, stat.sequence);
  writeNumber(writer, 13, stat.kind);
}

/** Bytes that are not a protobuf message. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** Walks over the fields of one message. */
export class WireReader {
  private readonly buffer: Buffer;
  private readonly end: number;
  at: number;
  field = 0;
  wireType = 0;

  constructor(buffer: Buffer, at = 0, end = buffer.length) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  /** Moves to the next field; false at the end. */
  next(): boolean {
    if (this.at >= this.end) {
      if (this.at > this.end) throw new WireError("a field reaches beyond its message");
      return false;
    }
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.wireType = tag & 7;
    if (this.field === 0) throw new WireError("field number 0");
    return true;
  }

  /** A varint as int64 would read it; exact up to 2^53, negative numbers as -1. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw new WireError("truncated varint");
      const byte = this.buffer[this.at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value <= 9007199254740991 ? value : value >= 0x8000000000000000 ? -1 : Infinity;
      factor *= 128;
    }
    throw new WireError("varint of more than ten bytes");
  }

  /** A varint as int32 would read it: the low 32 bits. */
  int32(): number {
    let value = 0;
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw new WireError("truncated varint");
      const byte = this.buffer[this.at++]!;
      if (count < 5) value |= (byte & 127) << (7 * count);
      if (byte < 128) return value;
    }
    throw new WireError("varint of more than ten bytes");
  }

  /** The end of a length-delimited field; its content begins at `at`. */
  length(): number {
    if (this.wireType !== Wire.bytes) throw new WireError("a field has another wire type");
    const length = this.varint();
    if (!(length >= 0 && length <= this.end - this.at)) throw new WireError("a field reaches beyond its message");
    return this.at + length;
  }

  /** A view of a length-delimited field. */
  bytes(): Buffer {
    const end = this.length();
    const view = this.buffer.subarray(this.at, end);
    this.at = end;
    return view;
  }

  string(): string {
    const end = this.length();
    const text = this.buffer.toString("utf8", this.at, end);
    this.at = end;
    return text;
  }

  message(): WireReader {
    const end = this.length();
    const reader = new WireReader(this.buffer, this.at, end);
    this.at = end;
    return reader;
  }

  /** Passes over a field this version does not know. */
  skip(): void {
    switch (this.wireType) {
      case Wire.varint:
        this.varint();
        return;
      case Wire.fixed64:
        this.at += 8;
        return;
      case Wire.bytes:
        this.at = this.length();
        return;
      case Wire.fixed32:
        this.at += 4;
        return;
      default:
        throw new WireError("a wire type that is not used");
    }
  }
}
