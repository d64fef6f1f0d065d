/**
 * Transactions between their preparation and their commit. Gives out zxids and times, encodes each transaction once,
 * and gathers those of one turn into one batch.
 *
 * Invariant: holds exactly the transactions between the commit point and the last zxid given out, in order.
 */
import { ByteWriter } from "../base/bytes.ts";
import { Queue } from "../base/queue.ts";
import type { Txn, TxnOp } from "../tree/txn.ts";
import { PendingTxn } from "./pending-txn.ts";
import { encodeTxn } from "./txn-codec.ts";
import type { Waiter } from "./waiter.ts";

/** What a transaction says besides what the pipeline adds. */
export interface TxnDraft {
  readonly session: number;
  readonly who: string;
  readonly request: number;
  readonly ops: TxnOp[];
  /** Of a numbered write: its seq, the session's acknowledgement, the fingerprint. */
  readonly seq: number;
  readonly acked: number;
  readonly fingerprint: number;
}

/** Transactions of one turn in their canonical encoding. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly firstZxid: number;
  readonly lastZxid: number;
}

export class Pipeline {
  private readonly pending = new Queue<PendingTxn>();
  private readonly encoded = new ByteWriter(64 * 1024);
  private batchFirst = 0;
  private lastTime: number;
  /** The wall clock, milliseconds since the Unix epoch. */
  wallMs = 0;
  /** The zxid that the next transaction gets. */
  nextZxid: number;

  constructor(start: { nextZxid: number; lastTime: number }) {
    this.nextZxid = start.nextZxid;
    this.lastTime = start.lastTime;
  }

  get length(): number {
    return this.pending.length;
  }

  /** Bytes of the batch so far. */
  get batchBytes(): number {
    return this.encoded.length;
  }

  /** The time of the next transaction: never less than that of the one before. */
  get now(): number {
    return Math.max(this.wallMs, this.lastTime);
  }

  add(draft: TxnDraft, epoch: number, waiter: Waiter | undefined): PendingTxn {
    const zxid = this.nextZxid++;
    this.lastTime = this.now;
    const { session, seq, acked, fingerprint, who, request, ops } = draft;
    const txn: Txn = { zxid, epoch, time: this.lastTime, session, seq, acked, fingerprint, who, request, ops };
    if (this.encoded.length === 0) this.batchFirst = zxid;
    encodeTxn(txn, this.encoded);
    const pending = new PendingTxn(txn, waiter);
    this.pending.push(pending);
    return pending;
  }

  /** The batch gathered so far; undefined when there is none. */
  takeBatch(): Batch | undefined {
    if (this.encoded.length === 0) return undefined;
    const bytes = this.encoded.copy();
    this.encoded.reset();
    return { bytes, firstZxid: this.batchFirst, lastZxid: this.nextZxid - 1 };
  }

  /** The oldest transaction, if it is committed. It leaves the pipeline. */
  takeCommitted(committedZxid: number): PendingTxn | undefined {
    const first = this.pending.peek();
    return first === undefined || first.txn.zxid > committedZxid ? undefined : this.pending.shift();
  }

  /** The leader lost its office: nobody here knows what becomes of these. */
  abandon(applied: number): void {
    for (let pending = this.pending.shift(); pending !== undefined; pending = this.pending.shift())
      pending.lost(applied);
  }
}
