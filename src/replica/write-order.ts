/**
 * Exactly once: gives numbered writes their turn. See LiveSession for the rules of one session's seqs.
 */
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Outcome } from "../sessions/session-table.ts";
import type { Caller } from "../tree/prepare.ts";
import { requestKindOf, requestProblem, type WriteRequest } from "../tree/request.ts";
import type { LiveSession, NumberedWrite } from "./live-session.ts";
import type { PendingTxn } from "./pending-txn.ts";
import { both, noLeader, type Waiter } from "./waiter.ts";

/** The place of a write among those of its session. */
export interface Turn {
  readonly live: LiveSession;
  readonly seq: number;
  readonly fingerprint: number;
}

/** What is needed of the leader. */
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
  /** Answers a write that was done before. */
  answerAgain(outcome: Outcome, request: number, waiter: Waiter): void;
}

export class WriteOrder {
  private readonly host: WriteHost;
  private readonly waiting = new Set<LiveSession>();

  constructor(host: WriteHost) {
    this.host = host;
  }

  submit(live: LiveSession, write: NumberedWrite): void {
    const { seq } = write;
    if (seq < 0) {
      const problem = refusal("BAD_ARGUMENTS", "a seq is positive", { field: "seq" });
      write.waiter.refused(this.host.appliedZxid, problem);
    } else if (seq === live.nextSeq) this.runInTurn(live, write);
    else if (seq < live.nextSeq) this.repeat(live, write);
    else this.keepEarly(live, write);
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
    else if (!waiter.repeated(outcome)) this.host.answerAgain(outcome, requestKindOf(write.request), waiter);
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

  /** The leader lost its office: what waits for its turn has not happened. */
  abandon(): void {
    for (const live of this.waiting) {
      for (const write of live.early.values()) write.waiter.refused(this.host.appliedZxid, noLeader());
      live.early.clear();
    }
    this.waiting.clear();
  }
}
