/**
 * The newest part of the history, in memory: what is not delivered yet, and as much before it as the budget allows, so
 * that servers that lag a little are brought up to date without a look at the disk.
 *
 * Batches are opaque but for their framing: each transaction starts with its length (4 bytes, low first, of what
 * follows), and zxids are dense, so the place of any transaction can be found.
 */
import { assert } from "../base/assert.ts";
import type { Boundaries } from "./boundaries.ts";
import type { HistoryPiece } from "./durable-log.ts";

interface Batch {
  readonly bytes: Uint8Array;
  readonly firstZxid: number;
  readonly lastZxid: number;
}

export class HistoryWindow {
  private readonly batches: Batch[] = [];
  private bytes = 0;
  private readonly budget: number;
  private lastZxid: number;

  constructor(budget: number, after: number) {
    this.budget = budget;
    this.lastZxid = after;
  }

  /** The oldest transaction here; one above the last when there is none. */
  get firstZxid(): number {
    return this.batches.length > 0 ? this.batches[0]!.firstZxid : this.lastZxid + 1;
  }

  push(bytes: Uint8Array, firstZxid: number, lastZxid: number): void {
    assert(firstZxid === this.lastZxid + 1 && lastZxid >= firstZxid, "history is contiguous");
    this.batches.push({ bytes, firstZxid, lastZxid });
    this.bytes += bytes.length;
    this.lastZxid = lastZxid;
  }

  /** Drops what the budget does not allow, of what is at or below `delivered`. */
  trim(delivered: number): void {
    let drop = 0;
    while (drop < this.batches.length && this.bytes > this.budget && this.batches[drop]!.lastZxid <= delivered) {
      this.bytes -= this.batches[drop++]!.bytes.length;
    }
    if (drop > 0) this.batches.splice(0, drop);
  }

  /** Forgets everything after `zxid`. */
  truncate(zxid: number): void {
    while (this.batches.length > 0 && this.lastZxid > zxid) {
      const batch = this.batches.pop()!;
      this.bytes -= batch.bytes.length;
      this.lastZxid = batch.firstZxid - 1;
      if (this.lastZxid < zxid) this.push(cut(batch, batch.firstZxid, zxid), batch.firstZxid, zxid);
    }
    if (this.batches.length === 0) this.lastZxid = zxid;
  }

  /** Hands over the transactions from `from` to `to`, batch by batch. */
  forEach(from: number, to: number, visit: (bytes: Uint8Array, firstZxid: number, lastZxid: number) => void): void {
    assert(from >= this.firstZxid && to <= this.lastZxid, "the window does not hold what is asked for");
    let at = this.batches.length;
    while (at > 0 && this.batches[at - 1]!.lastZxid >= from) at--;
    for (; at < this.batches.length && this.batches[at]!.firstZxid <= to; at++) {
      const batch = this.batches[at]!;
      const first = Math.max(from, batch.firstZxid);
      const last = Math.min(to, batch.lastZxid);
      visit(cut(batch, first, last), first, last);
    }
  }

  /** The transactions from `from` on, about `maxBytes` of them and at least one batch. */
  read(from: number, maxBytes: number, boundaries: Boundaries): HistoryPiece {
    const parts: Uint8Array[] = [];
    let length = 0;
    let last = from - 1;
    this.forEach(from, this.lastZxid, (bytes, _first, lastZxid) => {
      if (length >= maxBytes) return;
      parts.push(bytes);
      length += bytes.length;
      last = lastZxid;
    });
    return { bytes: concatenated(parts, length), firstZxid: from, boundaries: boundaries.between(from - 1, last) };
  }
}

/** The last transaction of a piece. */
export function endOf(piece: HistoryPiece): number {
  return piece.boundaries.at(-1)!.zxid;
}

function cut(batch: Batch, first: number, last: number): Uint8Array {
  const { bytes, firstZxid, lastZxid } = batch;
  if (first === firstZxid && last === lastZxid) return bytes;
  const start = offsetOf(bytes, first - firstZxid);
  return bytes.subarray(start, last === lastZxid ? bytes.length : offsetOf(bytes, last - first + 1, start));
}

/** Where the transaction begins that has `count` others between `from` and itself. */
function offsetOf(bytes: Uint8Array, count: number, from = 0): number {
  let at = from;
  for (let skipped = 0; skipped < count; skipped++) at += 4 + lengthAt(bytes, at);
  return at;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** How many transactions there are in `bytes`; -1 when the framing is broken. */
export function countTransactions(bytes: Uint8Array): number {
  let at = 0;
  let count = 0;
  while (at + 4 <= bytes.length) {
    at += 4 + lengthAt(bytes, at);
    count++;
  }
  return at === bytes.length ? count : -1;
}

function concatenated(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
