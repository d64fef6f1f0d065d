/**
 * The names of all znodes by slot, as bytes in a few large buffers. A million strings would be 32 MB of heap that every
 * collection visits, and most of what a server does at its start; here a name costs its length and six bytes.
 *
 * An address counts units of four bytes over all chunks. A block holds the length (two bytes, the lowest bit telling how
 * many bytes each UTF-16 code unit takes, one or two) and the code units. A freed block is reused by the next name of
 * its size.
 */
import { assert } from "../base/assert.ts";
import { chunkSlots } from "./znode-table.ts";

/** What indexes need to know about names. Orders are those of UTF-16 code units; see path.ts. */
export interface Names {
  name(slot: number): string;
  /** Negative when the name of `slot` comes before `name`, 0 when it is the same. */
  compare(slot: number, name: string): number;
  /** Likewise for the names of two slots. */
  compareSlots(a: number, b: number): number;
  /** Where the name of `slot` begins in the first `end` characters of `path`, at their end; -1 when it is not there. */
  startIn(slot: number, path: string, end: number): number;
}

/** Names of a chunk of znodes, in their order. Addresses count from the first of the chunks. */
export interface PackedNames {
  readonly addresses: Int32Array<ArrayBuffer>;
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
}

const unitBits = 2;
const chunkBits = 16;
const chunkUnits = 1 << chunkBits;
const chunkBytes = chunkUnits << unitBits;
const headerBytes = 2;
const longestName = 4096;

const slotBits = Math.log2(chunkSlots);

export class NameTable implements Names {
  private readonly chunks: Uint8Array[] = [];
  /** By slot, in pieces that never move. */
  private readonly addresses: Int32Array[] = [];
  /** Freed blocks by their size in units. */
  private readonly free: (number[] | undefined)[] = [];
  /** The chunk that new blocks are cut from, and how much of it is used. */
  private current = -1;
  private usedUnits = chunkUnits;

  set(slot: number, name: string): void {
    const wide = isWide(name);
    const units = unitsOf(name.length, wide);
    const address = this.free[units]?.pop() ?? this.allocate(units);
    writeName(this.chunks[address >>> chunkBits]!, (address & (chunkUnits - 1)) << unitBits, name, wide);
    const piece = slot >>> slotBits;
    while (this.addresses.length <= piece) this.addresses.push(new Int32Array(chunkSlots));
    this.addresses[piece]![slot & (chunkSlots - 1)] = address;
  }

  /** The slot has no name any more. */
  release(slot: number): void {
    const address = this.addressOf(slot);
    const chunk = this.chunkOf(address);
    const header = headerAt(chunk, placeOf(address));
    const units = unitsOf(header >>> 1, header & 1);
    const free = this.free[units];
    if (free === undefined) this.free[units] = [address];
    else free.push(address);
  }

  /** Takes over the names of the slots from `first`, a multiple of `chunkSlots`, on. */
  adopt(first: number, names: PackedNames): void {
    const base = this.chunks.length << chunkBits;
    assert((this.chunks.length + names.chunks.length) << chunkBits >= 0, "there are too many names");
    for (const chunk of names.chunks) this.chunks.push(chunk);
    const { addresses } = names;
    for (let i = 0; i < addresses.length; i++) addresses[i]! += base;
    assert(this.addresses.length === first >>> slotBits, "names are adopted in the order of slots");
    this.addresses.push(addresses);
  }

  name(slot: number): string {
    const address = this.addressOf(slot);
    const chunk = this.chunkOf(address);
    const at = placeOf(address);
    const header = headerAt(chunk, at);
    const length = header >>> 1;
    const start = at + headerBytes;
    if ((header & 1) === 0) return String.fromCharCode.apply(null, codes(chunk.subarray(start, start + length)));
    const units: number[] = [];
    for (let i = 0; i < length; i++) units.push(wideUnit(chunk, start, i));
    return String.fromCharCode.apply(null, units);
  }

  compare(slot: number, name: string): number {
    const address = this.addressOf(slot);
    const chunk = this.chunkOf(address);
    const at = placeOf(address);
    const header = headerAt(chunk, at);
    const start = at + headerBytes;
    const length = header >>> 1;
    const common = Math.min(length, name.length);
    for (let i = 0; i < common; i++) {
      const unit = (header & 1) === 0 ? chunk[start + i]! : wideUnit(chunk, start, i);
      const difference = unit - name.charCodeAt(i);
      if (difference !== 0) return difference;
    }
    return length - name.length;
  }

  compareSlots(a: number, b: number): number {
    const [addressA, addressB] = [this.addressOf(a), this.addressOf(b)];
    const [chunkA, chunkB] = [this.chunkOf(addressA), this.chunkOf(addressB)];
    const [atA, atB] = [placeOf(addressA), placeOf(addressB)];
    const [headerA, headerB] = [headerAt(chunkA, atA), headerAt(chunkB, atB)];
    const [startA, startB] = [atA + headerBytes, atB + headerBytes];
    const common = Math.min(headerA >>> 1, headerB >>> 1);
    for (let i = 0; i < common; i++) {
      const unitA = (headerA & 1) === 0 ? chunkA[startA + i]! : wideUnit(chunkA, startA, i);
      const unitB = (headerB & 1) === 0 ? chunkB[startB + i]! : wideUnit(chunkB, startB, i);
      if (unitA !== unitB) return unitA - unitB;
    }
    return (headerA >>> 1) - (headerB >>> 1);
  }

  startIn(slot: number, path: string, end: number): number {
    const address = this.addressOf(slot);
    const chunk = this.chunkOf(address);
    const at = placeOf(address);
    const header = headerAt(chunk, at);
    const length = header >>> 1;
    const from = end - length;
    if (from < 0) return -1;
    const start = at + headerBytes;
    for (let i = 0; i < length; i++) {
      const unit = (header & 1) === 0 ? chunk[start + i]! : wideUnit(chunk, start, i);
      if (unit !== path.charCodeAt(from + i)) return -1;
    }
    return from;
  }

  private addressOf(slot: number): number {
    return this.addresses[slot >>> slotBits]![slot & (chunkSlots - 1)]!;
  }

  private chunkOf(address: number): Uint8Array {
    return this.chunks[address >>> chunkBits]!;
  }

  private allocate(units: number): number {
    if (this.usedUnits + units > chunkUnits) {
      this.current = this.chunks.push(new Uint8Array(chunkBytes)) - 1;
      assert(this.current << chunkBits >= 0, "there are too many names");
      this.usedUnits = 0;
    }
    const address = (this.current << chunkBits) + this.usedUnits;
    this.usedUnits += units;
    return address;
  }
}

/** Packs the names of one chunk of znodes, which a NameTable adopts. */
export class NamePacker {
  private readonly addresses = new Int32Array(chunkSlots);
  private readonly chunks: Uint8Array<ArrayBuffer>[] = [];
  private current = new Uint8Array(0);
  private usedUnits = chunkUnits;
  private count = 0;

  add(name: string): void {
    const wide = isWide(name);
    const at = this.place(unitsOf(name.length, wide));
    writeName(this.current, at, name, wide);
  }

  /** Adds a name that is all ASCII from its bytes, without making a string of it. */
  addAscii(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    assert(length <= longestName, "a name is longer than any path");
    const at = this.place(unitsOf(length, 0));
    const { current } = this;
    current[at] = length << 1;
    current[at + 1] = length >>> 7;
    for (let i = 0; i < length; i++) current[at + headerBytes + i] = bytes[start + i]!;
  }

  /** Room for the next name; where it begins in the current chunk. */
  private place(units: number): number {
    if (this.usedUnits + units > chunkUnits) this.nextChunk();
    const at = this.usedUnits << unitBits;
    this.addresses[this.count++] = ((this.chunks.length - 1) << chunkBits) + this.usedUnits;
    this.usedUnits += units;
    return at;
  }

  /** The last chunk is cut to what it holds. The packer is used up. */
  finish(): PackedNames {
    const { addresses, chunks } = this;
    if (chunks.length > 0) chunks[chunks.length - 1] = this.current.slice(0, this.usedUnits << unitBits);
    return { addresses, chunks };
  }

  private nextChunk(): void {
    this.current = new Uint8Array(chunkBytes);
    this.chunks.push(this.current);
    this.usedUnits = 0;
  }
}

function placeOf(address: number): number {
  return (address & (chunkUnits - 1)) << unitBits;
}

/** Length in code units, and in the lowest bit whether they take two bytes. */
function headerAt(chunk: Uint8Array, at: number): number {
  return chunk[at]! | (chunk[at + 1]! << 8);
}

function wideUnit(chunk: Uint8Array, start: number, index: number): number {
  const at = start + 2 * index;
  return chunk[at]! | (chunk[at + 1]! << 8);
}

/** 1 when a code unit does not fit into a byte. */
function isWide(name: string): number {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0xff) return 1;
  return 0;
}

function unitsOf(length: number, wide: number): number {
  return (headerBytes + (length << wide) + 3) >>> unitBits;
}

function writeName(chunk: Uint8Array, at: number, name: string, wide: number): void {
  const { length } = name;
  assert(length <= longestName, "a name is longer than any path");
  const header = (length << 1) | wide;
  chunk[at] = header;
  chunk[at + 1] = header >>> 8;
  let to = at + headerBytes;
  for (let i = 0; i < length; i++) {
    const unit = name.charCodeAt(i);
    chunk[to++] = unit;
    if (wide === 1) chunk[to++] = unit >>> 8;
  }
}

/** `apply` takes any list of numbers, which its type does not say. */
function codes(bytes: Uint8Array): number[] {
  return bytes as unknown as number[];
}
