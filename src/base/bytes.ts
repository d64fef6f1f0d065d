/**
 * Reading and writing the canonical encoding: unsigned varints (7 bits a byte, low bits first, whole numbers up to
 * 2^53 - 1), zigzag varints for 32-bit signed numbers, and length-prefixed bytes and UTF-8 strings.
 *
 * One value has one encoding: the reader refuses varints with needless bytes and invalid UTF-8, so equal bytes and
 * equal values are the same thing and a CRC over the bytes is a CRC over the values.
 */

/** Bytes from outside that are not a valid encoding. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** Appends to a buffer that grows. `bytes` up to `length` is what was written. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Forgets what was written and keeps the buffer. */
  reset(): void {
    this.length = 0;
  }

  /** A view of what was written; valid until the next write. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** A copy of what was written. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  varint(value: number): void {
    this.reserve(8);
    const bytes = this.bytes;
    let at = this.length;
    let rest = value;
    while (rest >= 0x10000000) {
      bytes[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 128) {
      bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** A 32-bit signed number. */
  signed(value: number): void {
    this.varint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** An unsigned 32-bit number in four bytes, low byte first. */
  fixed32(value: number): void {
    this.reserve(4);
    const at = this.length;
    this.bytes[at] = value;
    this.bytes[at + 1] = value >>> 8;
    this.bytes[at + 2] = value >>> 16;
    this.bytes[at + 3] = value >>> 24;
    this.length = at + 4;
  }

  /** Bytes with their length before them. */
  lengthPrefixed(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** Bytes alone. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    // `set` costs a call into the engine; short values are copied faster by hand.
    if (value.length > 48) this.bytes.set(value, this.length);
    else for (let i = 0; i < value.length; i++) this.bytes[this.length + i] = value[i]!;
    this.length += value.length;
  }

  /** A string as UTF-8, its length in bytes before it. */
  string(value: string): void {
    const size = utf8Length(value);
    this.varint(size);
    this.reserve(size);
    this.length = writeUtf8(value, this.bytes, this.length);
  }
}

/** Reads what a ByteWriter wrote; throws DecodeError at anything else. */
export class ByteReader {
  private readonly bytes: Uint8Array;
  private readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw new DecodeError("unexpected end");
    return this.bytes[this.at++]!;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (byte === 0 && factor > 1) throw new DecodeError("varint with needless bytes");
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      factor *= 128;
      if (factor > 2 ** 49) break;
    }
    throw new DecodeError("varint above 2^53");
  }

  signed(): number {
    const value = this.varint();
    if (value > 0xffffffff) throw new DecodeError("signed number above 32 bits");
    return (value >>> 1) ^ -(value & 1);
  }

  fixed32(): number {
    if (this.at + 4 > this.end) throw new DecodeError("unexpected end");
    const at = this.at;
    this.at += 4;
    const { bytes } = this;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  /** A view, not a copy. */
  lengthPrefixed(): Uint8Array {
    return this.raw(this.varint());
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    if (this.at + length > this.end) throw new DecodeError("unexpected end");
    const view = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return view;
  }

  string(): string {
    const length = this.varint();
    if (this.at + length > this.end) throw new DecodeError("unexpected end");
    const text = readUtf8(this.bytes, this.at, this.at + length);
    this.at += length;
    return text;
  }
}

/** How many bytes a string takes in UTF-8. Lone surrogates count as the three bytes they are written as. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 2;
      i++;
    } else length += 2;
  }
  return length;
}

/** Writes a string as UTF-8 at `at`; the room must be there. Returns the position after it. */
export function writeUtf8(text: string, bytes: Uint8Array, at: number): number {
  let to = at;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[to++] = unit;
    } else if (unit < 0x800) {
      bytes[to++] = 0xc0 | (unit >> 6);
      bytes[to++] = 0x80 | (unit & 63);
    } else if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1))) {
      const point = 0x10000 + ((unit - 0xd800) << 10) + (text.charCodeAt(++i) - 0xdc00);
      bytes[to++] = 0xf0 | (point >> 18);
      bytes[to++] = 0x80 | ((point >> 12) & 63);
      bytes[to++] = 0x80 | ((point >> 6) & 63);
      bytes[to++] = 0x80 | (point & 63);
    } else {
      bytes[to++] = 0xe0 | (unit >> 12);
      bytes[to++] = 0x80 | ((unit >> 6) & 63);
      bytes[to++] = 0x80 | (unit & 63);
    }
  }
  return to;
}

/** Reads UTF-8 from `at` up to `end`. Throws DecodeError on anything that is not well formed. */
export function readUtf8(bytes: Uint8Array, at: number, end: number): string {
  let text = "";
  let i = at;
  // Runs of ASCII, the usual case, become one call for each 64 bytes.
  while (i < end) {
    const byte = bytes[i]!;
    if (byte < 0x80) {
      const stop = Math.min(end, i + 64);
      let j = i + 1;
      while (j < stop && bytes[j]! < 0x80) j++;
      text += String.fromCharCode.apply(null, bytes.subarray(i, j) as unknown as number[]);
      i = j;
      continue;
    }
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    if (byte < 0xc2 || byte > 0xf4 || i + size > end) throw new DecodeError("invalid UTF-8");
    let point = byte & (size === 2 ? 31 : size === 3 ? 15 : 7);
    for (let k = 1; k < size; k++) {
      const next = bytes[i + k]!;
      if ((next & 0xc0) !== 0x80) throw new DecodeError("invalid UTF-8");
      point = (point << 6) | (next & 63);
    }
    const least = size === 2 ? 0x80 : size === 3 ? 0x800 : 0x10000;
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      throw new DecodeError("invalid UTF-8");
    }
    text += String.fromCodePoint(point);
    i += size;
  }
  return text;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
