/**
 * The records of all znodes: 128 bytes each, in chunks of 1 MiB, addressed by slot.
 *
 * An object with these fields would take twice the memory and be visited by every garbage collection; here a million
 * znodes are 128 buffers. Chunks are never copied, so growing costs the same at any size.
 */
import { assert } from "../base/assert.ts";

/** Fields that hold whole numbers up to 2^53, by their place in a record. */
export const Wide = {
  czxid: 0,
  mzxid: 1,
  pzxid: 2,
  ctime: 3,
  mtime: 4,
  owner: 5,
  sequence: 6,
  /** zxid of the last log row of this znode. */
  rowZxid: 7,
  /** Identity of this incarnation of the path; grows with creation and is never reused. */
  id: 8,
  /** This znode's part of the digest. */
  digest: 9,
} as const;

/** Fields that hold 32-bit signed numbers. */
export const Narrow = {
  version: 20,
  aversion: 21,
  children: 22,
  descendants: 23,
  /** Slot of the parent; the root is its own. */
  parent: 24,
  dataAddress: 25,
  /** Bytes; -1 when there is no data. */
  dataLength: 26,
  dataCrc: 27,
  acl: 28,
  pathHash: 29,
  /** Next slot in the same hash bucket; -1 at the end. */
  hashNext: 30,
  kind: 31,
} as const;

const slotBits = 13;
/** Records of one chunk, and their bytes. */
export const chunkSlots = 1 << slotBits;
export const chunkRecords = chunkSlots * 128;
const slotMask = chunkSlots - 1;

export class ZnodeTable {
  private readonly wideChunks: Float64Array[] = [];
  private readonly narrowChunks: Int32Array[] = [];
  private readonly free: number[] = [];
  /** Slots handed out so far, the freed ones included. */
  private used = 0;

  /** A slot with every field 0. */
  allocate(): number {
    const reused = this.free.pop();
    if (reused !== undefined) {
      const at = (reused & slotMask) << 4;
      this.wideChunks[reused >>> slotBits]!.fill(0, at, at + 16);
      return reused;
    }
    const slot = this.used++;
    if ((slot & slotMask) === 0) {
      this.addChunk(new ArrayBuffer(chunkRecords));
    }
    return slot;
  }

  private addChunk(records: ArrayBuffer): void {
    this.wideChunks.push(new Float64Array(records));
    this.narrowChunks.push(new Int32Array(records));
  }

  /** Takes over a chunk whose first `count` records are filled; the others become free. Returns the first slot. */
  adopt(records: ArrayBuffer, count: number): number {
    assert((this.used & slotMask) === 0 && records.byteLength === chunkRecords, "a chunk is adopted whole");
    const first = this.used;
    this.addChunk(records);
    this.used += chunkSlots;
    for (let slot = this.used - 1; slot >= first + count; slot--) this.free.push(slot);
    return first;
  }

  release(slot: number): void {
    this.free.push(slot);
  }

  /** Slots below this have been handed out. */
  get slotCount(): number {
    return this.used;
  }

  wide(slot: number, field: number): number {
    return this.wideChunks[slot >>> slotBits]![((slot & slotMask) << 4) + field]!;
  }

  setWide(slot: number, field: number, value: number): void {
    this.wideChunks[slot >>> slotBits]![((slot & slotMask) << 4) + field] = value;
  }

  narrow(slot: number, field: number): number {
    return this.narrowChunks[slot >>> slotBits]![((slot & slotMask) << 5) + field]!;
  }

  setNarrow(slot: number, field: number, value: number): void {
    this.narrowChunks[slot >>> slotBits]![((slot & slotMask) << 5) + field] = value;
  }
}
