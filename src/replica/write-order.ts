/**
 * Exactly once: gives numbered writes their turn. See LiveSession for the rules of one session's seqs.
 */
import { limits } from "../base/limits.ts";
import { reasonOfNumber, reasonTable, refusal, type Refusal } from "../base/reasons.ts";
import { assert } from "../base/assert.ts";
import type { Outcome } from "../sessions/session-table.ts";
import type { Caller } from "../tree/prepare.ts";
import { fingerprint, requestKindOf, requestProblem, type WriteRequest } from "../tree/request.ts";
import type { LiveSession, NumberedWrite } from "./live-session.ts";
import type { PendingTxn } from "./pending-txn.ts";
import type { HistoryPort, HistoryResult } from "./ports.ts";
import type { RecentTxns } from "./recent-txns.ts";
import { both, type Waiter } from "./waiter.ts";

/** The place of a write among those of its session. */
export interface Turn {
  readonly live: LiveSession;
  readonly seq: number;
  readonly fingerprint: number;
}

/** What is needed of the replica. */
export interface WriteHost {
  readonly appliedZxid: number;
  /** Time by the expiry clock. */
  readonly now: number;
  /** Why a write cannot run now; undefined when it can. */
  notNow(request: WriteRequest, live: LiveSession): Refusal | undefined;
  /** Prepares a well-formed write and proposes it, or proposes its rejection. */
  execute(write: { request: WriteRequest; caller: Caller; turn: Turn | undefined }, waiter: Waiter): PendingTxn;
  /** Proposes the rejection of a write. */
  reject(
    refused: Refusal,
    write: { request: WriteRequest; caller: Caller; turn: Turn | undefined },
    waiter: Waiter,
  ): PendingTxn;
}

const readBytes = limits.transaction;

export class WriteOrder {
  private readonly host: WriteHost;
  private readonly recent: RecentTxns;
  private readonly history: HistoryPort;
  private readonly reads = new Map<number, { outcome: Outcome; request: number; waiter: Waiter }>();
  private readonly waiting = new Set<LiveSession>();
  private tickets = 0;

  constructor(host: WriteHost, past: { recent: RecentTxns; history: HistoryPort }) {
    this.host = host;
    this.recent = past.recent;
    this.history = past.history;
  }

  submit(write: { request: WriteRequest; seq: number; caller: Caller; live: LiveSession; waiter: Waiter }): void {
    const { request, seq, caller, live, waiter } = write;
    if (seq < 0) {
      waiter.refused(this.host.appliedZxid, refusal("BAD_ARGUMENTS", "a seq is positive", { field: "seq" }));
      return;
    }
    const numbered = { seq, request, fingerprint: fingerprint(request), caller, waiter, since: this.host.now };
    if (seq === live.nextSeq) this.runInTurn(live, numbered);
    else if (seq < live.nextSeq) this.repeat(live, numbered);
    else this.keepEarly(live, numbered);
  }

  /** The next write in turn: runs, unless it cannot run now; then those that waited for it. */
  private runInTurn(live: LiveSession, first: NumberedWrite): void {
    let write: NumberedWrite | undefined = first;
    while (write !== undefined) {
      const problem =
        this.host.notNow(write.request, live) ??
        (live.unacknowledged >= limits.unacknowledgedOutcomes ? live.refuseUnacknowledged() : undefined);
      live.early.delete(write.seq);
      if (problem !== undefined) {
        write.waiter.refused(this.host.appliedZxid, problem);
        return;
      }
      live.nextSeq++;
      const { request, caller, waiter, seq } = write;
      const refused = requestProblem(request, caller.identities);
      const turned = { request, caller, turn: { live, seq, fingerprint: write.fingerprint } };
      // What can never succeed takes its seq with it: a retry must not run later, out of order.
      const pending =
        refused === undefined ? this.host.execute(turned, waiter) : this.host.reject(refused, turned, waiter);
      live.inFlight.set(seq, pending);
      write = live.early.get(live.nextSeq);
    }
  }

  private keepEarly(live: LiveSession, write: NumberedWrite): void {
    const known = live.early.get(write.seq);
    if (write.seq - live.nextSeq > limits.unacknowledgedOutcomes) {
      write.waiter.refused(this.host.appliedZxid, live.refuseGap(write.seq));
      return;
    }
    if (known !== undefined && known.fingerprint !== write.fingerprint) {
      write.waiter.refused(this.host.appliedZxid, live.refuseReused(write.seq));
      return;
    }
    // A retry of a write that still waits: both are answered, by the newer one's clock.
    const kept = known === undefined ? write : { ...write, waiter: both(known.waiter, write.waiter) };
    live.early.set(write.seq, kept);
    this.waiting.add(live);
  }

  /** A seq that was used: its outcome again, now or when it is known. */
  private repeat(live: LiveSession, write: NumberedWrite): void {
    const { seq, waiter } = write;
    const { appliedZxid } = this.host;
    const pending = live.inFlight.get(seq);
    if (pending !== undefined) {
      if (pending.txn.fingerprint === write.fingerprint) pending.join(waiter);
      else waiter.refused(appliedZxid, live.refuseReused(seq));
      return;
    }
    const outcome = live.session.outcome(seq);
    if (outcome === undefined) waiter.refused(appliedZxid, live.refuseTooOld(seq));
    else if (outcome.fingerprint !== write.fingerprint) waiter.refused(appliedZxid, live.refuseReused(seq));
    else this.answerAgain(outcome, requestKindOf(write.request), waiter);
  }

  private answerAgain(outcome: Outcome, request: number, waiter: Waiter): void {
    const recent = this.recent.get(outcome.zxid);
    if (recent !== undefined) {
      waiter.committed(recent);
      return;
    }
    // Negative, so that no ticket of a watch is the same.
    const ticket = -++this.tickets;
    this.reads.set(ticket, { outcome, request, waiter });
    this.history.readAfter(ticket, outcome.zxid - 1, outcome.zxid, readBytes);
  }

  /** Whether this ticket belongs to the outcome of a write; then the write is answered. */
  historyRead(ticket: number, result: HistoryResult): boolean {
    const read = this.reads.get(ticket);
    if (read === undefined) return false;
    this.reads.delete(ticket);
    const { outcome, request, waiter } = read;
    const txn = result.kind === "read" ? result.txns[0] : undefined;
    if (txn !== undefined) waiter.committed(txn);
    else if (outcome.code === 0) waiter.committedBefore(outcome.zxid, request);
    else waiter.refused(outcome.zxid, refusalOfOutcome(outcome));
    return true;
  }

  /** Refuses writes that waited too long for those before them. */
  tick(): void {
    for (const live of this.waiting) {
      for (const [seq, write] of live.early) {
        if (this.host.now - write.since < limits.waitMs) continue;
        live.early.delete(seq);
        write.waiter.refused(this.host.appliedZxid, live.refuseGap(seq));
      }
      if (live.early.size === 0) this.waiting.delete(live);
    }
  }
}

/** What is known of a refusal whose row is purged. */
export function refusalOfOutcome(outcome: Outcome): Refusal {
  const reason = reasonOfNumber(outcome.code);
  assert(reason !== undefined, "an outcome has an unknown code");
  const metadata = outcome.failedOp === 0 ? {} : { operation: String(outcome.failedOp) };
  return refusal(reason, reasonTable[reason].meaning, metadata);
}
