/**
 * Answers writes that were done before: with the transaction from memory, else from the log; once its row is purged,
 * with what the session remembers of it.
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { reasonOfNumber, reasonTable, refusal, type Refusal } from "../base/reasons.ts";
import type { Outcome } from "../sessions/session-table.ts";
import type { HistoryPort, HistoryResult } from "./ports.ts";
import type { RecentTxns } from "./recent-txns.ts";
import type { Waiter } from "./waiter.ts";

/** What is known of a write without its transaction. */
export type KnownOutcome = Pick<Outcome, "zxid" | "code" | "failedOp">;

export class PastOutcomes {
  private readonly recent: RecentTxns;
  private readonly history: HistoryPort;
  private readonly reads = new Map<number, { outcome: KnownOutcome; request: number; waiter: Waiter }>();
  private tickets = 0;

  constructor(recent: RecentTxns, history: HistoryPort) {
    this.recent = recent;
    this.history = history;
  }

  /** `request` is the RequestKind. */
  answer(outcome: KnownOutcome, request: number, waiter: Waiter): void {
    const recent = this.recent.get(outcome.zxid);
    if (recent !== undefined) {
      waiter.committed(recent);
      return;
    }
    // Negative, so that no ticket of a watch is the same.
    const ticket = -++this.tickets;
    this.reads.set(ticket, { outcome, request, waiter });
    this.history.readAfter(ticket, outcome.zxid - 1, outcome.zxid, limits.transaction);
  }

  /** Whether this ticket belongs to the outcome of a write; then the write is answered. */
  historyRead(ticket: number, result: HistoryResult): boolean {
    const read = this.reads.get(ticket);
    if (read === undefined) return false;
    this.reads.delete(ticket);
    const { outcome, request, waiter } = read;
    const txn = result.kind === "read" ? result.txns[0] : undefined;
    if (txn !== undefined) waiter.committed(txn);
    else answerKnown(outcome, request, waiter);
    return true;
  }

  /** The log will not be read any more: what is known must do. */
  endReads(): void {
    for (const { outcome, request, waiter } of this.reads.values()) answerKnown(outcome, request, waiter);
    this.reads.clear();
  }
}

function answerKnown(outcome: KnownOutcome, request: number, waiter: Waiter): void {
  if (outcome.code === 0) waiter.committedBefore(outcome.zxid, request);
  else waiter.refused(outcome.zxid, refusalOfOutcome(outcome));
}

/** What is known of a refusal whose row is purged. */
export function refusalOfOutcome(outcome: KnownOutcome): Refusal {
  const reason = reasonOfNumber(outcome.code);
  assert(reason !== undefined, "an outcome has an unknown code");
  const metadata = outcome.failedOp === 0 ? {} : { operation: String(outcome.failedOp) };
  return refusal(reason, reasonTable[reason].meaning, metadata);
}
