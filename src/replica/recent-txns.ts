/**
 * The last applied transactions, kept in memory: a retry or a watch that was away for a moment needs no disk.
 *
 * A ring, addressed by zxid: zxids are dense. Sizes are kept beside the transactions, so that dropping an old one does
 * not touch it: by then it has long left the processor's caches.
 */
import { assert } from "../base/assert.ts";
import type { Txn } from "../tree/txn.ts";

const usualSlots = 1024;
/** A watch that resumes is sent all of it in one step, so it is well below what may wait for a client. */
const maxBytes = 2 * 1024 * 1024;
/** What an operation takes in memory besides its data: objects, strings, its part of the message it came in. */
const operationBytes = 1024;

export class RecentTxns {
  private readonly slots: number;
  private readonly ring: (Txn | undefined)[];
  private readonly sizes: Float64Array;
  private bytes = 0;
  /** The transaction applied last when this began, and how many rows it has if that is known. */
  private readonly origin: { readonly zxid: number; readonly ops: number };
  /** Invariant: the transactions from `first` to `last` are here; none when `first` is above `last`. */
  private first: number;
  private last: number;

  constructor(origin: { zxid: number; ops: number }, slots = usualSlots) {
    this.slots = slots;
    this.ring = new Array<Txn | undefined>(slots).fill(undefined);
    this.sizes = new Float64Array(slots);
    this.origin = origin;
    this.first = origin.zxid + 1;
    this.last = origin.zxid;
  }

  push(txn: Txn): void {
    assert(txn.zxid === this.last + 1, "recent transactions are contiguous");
    const { slots } = this;
    const size = sizeOf(txn);
    this.last = txn.zxid;
    this.bytes += size;
    while (this.last - this.first >= slots || (this.bytes > maxBytes && this.first < this.last)) this.dropFirst();
    this.ring[txn.zxid % slots] = txn;
    this.sizes[txn.zxid % slots] = size;
  }

  private dropFirst(): void {
    const at = this.first % this.slots;
    this.bytes -= this.sizes[at]!;
    this.ring[at] = undefined;
    this.first++;
  }

  get(zxid: number): Txn | undefined {
    return zxid < this.first || zxid > this.last ? undefined : this.ring[zxid % this.slots];
  }

  /** Whether every applied transaction from `zxid` on is here. */
  reachesBackTo(zxid: number): boolean {
    return zxid >= this.first;
  }

  /** How many rows a transaction has; more than any has when it is not known. */
  opsOf(zxid: number): number {
    if (zxid === this.origin.zxid) return this.origin.ops;
    return this.get(zxid)?.ops.length ?? 0x80000000;
  }

  forEachFrom(zxid: number, visit: (txn: Txn) => void): void {
    for (let each = Math.max(zxid, this.first); each <= this.last; each++) visit(this.get(each)!);
  }
}

function sizeOf(txn: Txn): number {
  let size = 0;
  for (const op of txn.ops) size += (op.data?.length ?? 0) + operationBytes;
  return size;
}
