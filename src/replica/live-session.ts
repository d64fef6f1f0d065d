/**
 * The leader's half of a session, in memory only: when it was heard of, who is attached, which of its writes are on
 * their way, and which have come before their turn. It ends with the leader's office.
 *
 * One contiguous space of seqs is shared by streams and unary calls. The next seq in turn executes; a lower one returns
 * its outcome or joins the one in flight; a higher one waits in a bounded window. What can never succeed consumes its
 * seq; what cannot run now consumes nothing, and neither do later seqs until it is sent again.
 */
import { SeqMap } from "../base/seq-map.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Session } from "../sessions/session-table.ts";
import type { Caller } from "../tree/prepare.ts";
import type { WriteRequest } from "../tree/request.ts";
import type { Expirable } from "./expiry.ts";
import type { PendingTxn } from "./pending-txn.ts";
import type { Waiter } from "./waiter.ts";

/** A numbered write, checked or not. */
export interface NumberedWrite {
  readonly seq: number;
  readonly request: WriteRequest;
  readonly fingerprint: number;
  readonly caller: Caller;
  readonly waiter: Waiter;
  /** When it came, by the expiry clock. */
  readonly since: number;
}

/**
 * Attaches are not logged: leaders number them, and the highest number has the session. After a change of leaders the
 * servers say which numbers their streams have.
 */
export interface AttachNumber {
  readonly epoch: number;
  readonly count: number;
}

export function isHigher(a: AttachNumber, b: AttachNumber): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.count > b.count);
}

/** The stream that has a session, on whatever server. */
export interface StreamHolder {
  /** A newer one has taken the session over. */
  moved(): void;
}

export class LiveSession implements Expirable {
  readonly session: Session;
  touchedAt: number;
  /** Set when its end is proposed: nothing more is accepted. */
  closing = false;
  holder: StreamHolder | undefined;
  /** Of the newest attach; it stays when that stream is gone. */
  attach: AttachNumber = { epoch: 0, count: 0 };
  /** The seq of the next new write. Invariant: every lower one has an outcome, is forgotten, or is in flight. */
  nextSeq: number;
  /** The highest acknowledgement received; it reaches the replicated state with the next transaction. */
  ackedSeen: number;
  /** The acknowledgement that the last `trim` carries. */
  ackedTrimmed = 0;
  readonly inFlight = new SeqMap<PendingTxn>();
  readonly early = new Map<number, NumberedWrite>();

  constructor(session: Session, now: number) {
    this.session = session;
    this.touchedAt = now;
    this.nextSeq = session.lastSeq + 1;
    this.ackedSeen = session.acked;
  }

  get timeoutMs(): number {
    return this.session.terms.timeoutMs;
  }

  /** Takes over an acknowledgement; one beyond what was answered is taken as far as it can be true. */
  acknowledge(seq: number): void {
    const answered = Math.min(seq, this.nextSeq - 1);
    if (answered > this.ackedSeen) this.ackedSeen = answered;
  }

  /** Outcomes that the client has not acknowledged, those in flight included. */
  get unacknowledged(): number {
    return this.nextSeq - 1 - this.ackedSeen;
  }

  refuseTooOld(seq: number): Refusal {
    return refusal(
      "SEQUENCE_TOO_OLD",
      `the outcome of write ${seq} was acknowledged and is forgotten`,
      this.about(seq),
    );
  }

  refuseReused(seq: number): Refusal {
    return refusal("SEQUENCE_REUSED", `write ${seq} was a different request`, this.about(seq));
  }

  refuseGap(seq: number): Refusal {
    return refusal("SEQUENCE_GAP", `write ${seq} came, but write ${this.nextSeq} did not`, {
      ...this.about(seq),
      expected_seq: String(this.nextSeq),
    });
  }

  refuseUnacknowledged(): Refusal {
    const limit = limits.unacknowledgedOutcomes;
    return refusal("TOO_MANY_UNACKNOWLEDGED", `${limit} outcomes wait to be acknowledged`, {
      limit: String(limit),
      session_id: String(this.session.id),
    });
  }

  private about(seq: number): Record<string, string> {
    return { seq: String(seq), session_id: String(this.session.id) };
  }
}

/** What a caller of an ended or unknown session is told. */
export function sessionExpired(id: number): Refusal {
  return refusal("SESSION_EXPIRED", `session ${id} is not alive`, { session_id: String(id) });
}

/** What a stream is told whose session is with another one. */
export function sessionMoved(id: number): Refusal {
  return refusal("SESSION_MOVED", "a newer stream has taken the session over", { session_id: String(id) });
}
