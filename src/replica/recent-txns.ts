/** The last applied transactions, kept in memory: a retry or a watch that was away for a moment needs no disk. */
import { Queue } from "../base/queue.ts";
import type { Txn } from "../tree/txn.ts";

const usualMaxTxns = 1024;
const maxBytes = 4 * 1024 * 1024;

export class RecentTxns {
  private readonly txns = new Queue<Txn>();
  private bytes = 0;
  /** The transaction applied last when this began, and how many rows it has if that is known. */
  private readonly origin: { readonly zxid: number; readonly ops: number };

  private readonly maxTxns: number;

  constructor(origin: { zxid: number; ops: number }, maxTxns = usualMaxTxns) {
    this.origin = origin;
    this.maxTxns = maxTxns;
  }

  push(txn: Txn): void {
    this.txns.push(txn);
    this.bytes += sizeOf(txn);
    while (this.txns.length > this.maxTxns || (this.bytes > maxBytes && this.txns.length > 1)) {
      this.bytes -= sizeOf(this.txns.shift()!);
    }
  }

  get(zxid: number): Txn | undefined {
    const first = this.txns.peek();
    return first === undefined || zxid < first.zxid ? undefined : this.txns.at(zxid - first.zxid);
  }

  /** Whether every applied transaction from `zxid` on is here. */
  reachesBackTo(zxid: number): boolean {
    const first = this.txns.peek();
    return first === undefined ? zxid > this.origin.zxid : zxid >= first.zxid;
  }

  /** How many rows a transaction has; more than any has when it is not known. */
  opsOf(zxid: number): number {
    if (zxid === this.origin.zxid) return this.origin.ops;
    return this.get(zxid)?.ops.length ?? 0x80000000;
  }

  forEachFrom(zxid: number, visit: (txn: Txn) => void): void {
    const first = this.txns.peek();
    if (first === undefined) return;
    for (let index = Math.max(0, zxid - first.zxid); index < this.txns.length; index++) visit(this.txns.at(index)!);
  }
}

function sizeOf(txn: Txn): number {
  let size = 0;
  for (const op of txn.ops) size += (op.data?.length ?? 0) + 256;
  return size;
}
