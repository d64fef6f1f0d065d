/**
 * Holds the data of all znodes in a few large buffers. A typed array for each znode would cost more than most data
 * is long; here a value costs its length rounded up, and updating it in place costs a copy.
 *
 * An address counts units of 16 bytes over all chunks, so 31 bits reach 32 GiB. Blocks come in size classes; a freed
 * block goes to the free list of its class and is reused by the next value of that class.
 *
 * Views returned by `read` are valid until the next `write` or `free`: whoever needs the bytes longer copies them.
 */
import { assert } from "../base/assert.ts";

const unit = 16;
const chunkBytes = 1024 * 1024;
const chunkUnits = chunkBytes / unit;
/** Values above this get a chunk of their own. */
const largeBytes = 64 * 1024;

/** Sizes of blocks, in units: steps of one up to 16, then four steps for each doubling. */
const classUnits = makeClasses();
const classOfUnits = makeClassTable();

function makeClasses(): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < 16; size++) sizes.push(size);
  for (let base = 16; base * unit <= largeBytes; base *= 2) {
    for (let step = 0; step < 4; step++) {
      const size = base + (base / 4) * step;
      if (size * unit <= largeBytes) sizes.push(size);
    }
  }
  return sizes;
}

function makeClassTable(): Uint8Array {
  const table = new Uint8Array(largeBytes / unit + 1);
  let index = 0;
  for (let units = 1; units < table.length; units++) {
    while (classUnits[index]! < units) index++;
    table[units] = index;
  }
  return table;
}

/** Address of a value without bytes. */
export const noData = -1;

const empty = new Uint8Array(0);

export class Slab {
  private readonly chunks: (Uint8Array | undefined)[] = [];
  private readonly freeBlocks: number[][] = classUnits.map(() => []);
  private readonly freeChunks: number[] = [];
  /** The chunk that new blocks are cut from, and how much of it is used. */
  private current = -1;
  private usedUnits = chunkUnits;

  /** Stores a copy of `bytes`; returns its address. */
  write(bytes: Uint8Array): number {
    const length = bytes.length;
    if (length === 0) return noData;
    const address = length > largeBytes ? this.allocateLarge(length) : this.allocate(length);
    this.copyInto(address, bytes);
    return address;
  }

  /** Replaces a value of `oldLength` bytes, in place where the new one fits the same block. Returns its address. */
  rewrite(address: number, oldLength: number, bytes: Uint8Array): number {
    const length = bytes.length;
    if (address !== noData && length > 0 && length <= largeBytes && oldLength <= largeBytes) {
      if (classOf(oldLength) === classOf(length)) {
        this.copyInto(address, bytes);
        return address;
      }
    }
    this.free(address, oldLength);
    return this.write(bytes);
  }

  free(address: number, length: number): void {
    if (address === noData) return;
    if (length > largeBytes) {
      const index = (address / chunkUnits) | 0;
      this.chunks[index] = undefined;
      this.freeChunks.push(index);
    } else this.freeBlocks[classOf(length)]!.push(address);
  }

  /** A view of a value. */
  read(address: number, length: number): Uint8Array {
    if (address === noData) return empty;
    const at = (address % chunkUnits) * unit;
    return this.chunks[(address / chunkUnits) | 0]!.subarray(at, at + length);
  }

  /** Takes over chunks that a SlabPacker filled; returns what is to be added to its addresses. */
  adopt(chunks: readonly Uint8Array[]): number {
    const first = this.chunks.length;
    for (const chunk of chunks) this.chunks.push(chunk);
    return first * chunkUnits;
  }

  private copyInto(address: number, bytes: Uint8Array): void {
    const chunk = this.chunks[(address / chunkUnits) | 0]!;
    chunk.set(bytes, (address % chunkUnits) * unit);
  }

  private allocate(length: number): number {
    const index = classOf(length);
    const free = this.freeBlocks[index]!.pop();
    if (free !== undefined) return free;
    const units = classUnits[index]!;
    if (this.usedUnits + units > chunkUnits) {
      this.current = this.newChunk(chunkBytes);
      this.usedUnits = 0;
    }
    const address = this.current * chunkUnits + this.usedUnits;
    this.usedUnits += units;
    return address;
  }

  private allocateLarge(length: number): number {
    // Data is at most 1 MiB, so a large value never reaches into the address range of the next chunk.
    assert(length <= chunkBytes, "a value exceeds the size of a chunk");
    return this.newChunk(length) * chunkUnits;
  }

  private newChunk(bytes: number): number {
    const index = this.freeChunks.pop() ?? this.chunks.length;
    assert(index < 0x7fffffff / chunkUnits, "the slab is full");
    this.chunks[index] = new Uint8Array(bytes);
    return index;
  }
}

/** Packs values into chunks that a Slab can adopt. Addresses count from the first chunk. */
export class SlabPacker {
  private readonly chunks: Uint8Array<ArrayBuffer>[] = [];
  private current = new Uint8Array(0);
  private currentIndex = -1;
  private usedUnits = chunkUnits;
  /** Bytes of all values, as they came. */
  bytes = 0;

  /** Adds a value; returns its address. */
  add(data: Uint8Array | null): number {
    if (data === null || data.length === 0) return noData;
    const { length } = data;
    this.bytes += length;
    if (length > largeBytes) {
      this.chunks.push(data.slice());
      return (this.chunks.length - 1) * chunkUnits;
    }
    const units = classUnits[classOf(length)]!;
    if (this.usedUnits + units > chunkUnits) this.nextChunk();
    const address = this.currentIndex * chunkUnits + this.usedUnits;
    this.current.set(data, this.usedUnits * unit);
    this.usedUnits += units;
    return address;
  }

  /** The chunks; the last one is cut to what it holds. */
  finish(): Uint8Array<ArrayBuffer>[] {
    this.cutCurrent();
    return this.chunks;
  }

  private nextChunk(): void {
    this.currentIndex = this.chunks.length;
    this.current = new Uint8Array(chunkBytes);
    this.chunks.push(this.current);
    this.usedUnits = 0;
  }

  private cutCurrent(): void {
    if (this.currentIndex < 0 || this.usedUnits === chunkUnits) return;
    this.chunks[this.currentIndex] = this.current.slice(0, this.usedUnits * unit);
  }
}

function classOf(length: number): number {
  return classOfUnits[Math.ceil(length / unit)]!;
}
