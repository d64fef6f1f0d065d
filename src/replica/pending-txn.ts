/** A transaction between its proposal and its commit, and who waits for it. */
import type { Txn } from "../tree/txn.ts";
import type { Waiter } from "./waiter.ts";

export class PendingTxn {
  readonly txn: Txn;
  private readonly first: Waiter | undefined;
  /** Retries that arrived while it was in flight. */
  private more: Waiter[] | undefined;

  constructor(txn: Txn, waiter: Waiter | undefined) {
    this.txn = txn;
    this.first = waiter?.proposed(txn.zxid) === true ? undefined : waiter;
  }

  join(waiter: Waiter): void {
    if (!waiter.proposed(this.txn.zxid)) (this.more ??= []).push(waiter);
  }

  committed(): void {
    this.first?.committed(this.txn);
    if (this.more !== undefined) for (const waiter of this.more) waiter.committed(this.txn);
  }

  /** The leader lost its office. */
  lost(applied: number): void {
    this.first?.lost(applied);
    if (this.more !== undefined) for (const waiter of this.more) waiter.lost(applied);
  }
}
