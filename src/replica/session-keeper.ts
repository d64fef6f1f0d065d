/** The leader's care for sessions: opens, expires and closes them, and says which stream has them. */
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Session, SessionTable } from "../sessions/session-table.ts";
import type { Identity } from "../tree/acl.ts";
import { openingDetail, trimDetail } from "../tree/detail.ts";
import { blankOp, type Preparer } from "../tree/prepare.ts";
import { emptyStat } from "../tree/stat.ts";
import { Cause, OpKind, RequestKind, type Txn, type TxnOp } from "../tree/txn.ts";
import { ExpiryQueue, type ExpiryClock } from "./expiry.ts";
import {
  isHigher,
  LiveSession,
  sessionExpired,
  sessionMoved,
  type AttachNumber,
  type StreamHolder,
} from "./live-session.ts";
import { refusalOfOutcome } from "./past-outcomes.ts";
import type { PendingTxn } from "./pending-txn.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Waiter } from "./waiter.ts";

/** A request to open a session, checked for form. */
export interface Opening {
  readonly clientKey: string;
  readonly secretHash: string;
  readonly timeoutMs: number;
  readonly identities: readonly Identity[];
}

export type OutcomeReport =
  | { readonly state: "notSeen" | "pending" | "forgotten"; readonly ended: boolean }
  | { readonly state: "succeeded"; readonly zxid: number; readonly ended: boolean }
  | { readonly state: "failed"; readonly zxid: number; readonly refusal: Refusal; readonly ended: boolean };

/** What is needed of the leader. */
export interface KeeperHost {
  readonly appliedZxid: number;
  readonly epoch: number;
  propose(draft: { session: number; who: string; request: number; ops: TxnOp[] }, waiter?: Waiter): PendingTxn;
}

/** How often acknowledgements of sessions that do not write are folded in, milliseconds. */
const trimMs = 5000;
/** Sessions one tick ends, or one trim names, at most. */
const sessionsPerTick = 1000;

export class SessionKeeper {
  private readonly clock: ExpiryClock;
  private readonly host: KeeperHost;
  private readonly table: SessionTable;
  private readonly preparer: Preparer;
  private readonly pipeline: Pipeline;
  private readonly live = new Map<number, LiveSession>();
  private readonly expiry: ExpiryQueue<LiveSession>;
  private readonly opening = new Map<string, { secretHash: string; pending: PendingTxn }>();
  private lastTrim: number;
  private attaches = 0;

  constructor(
    host: KeeperHost,
    parts: { table: SessionTable; preparer: Preparer; pipeline: Pipeline; clock: ExpiryClock },
  ) {
    this.host = host;
    this.table = parts.table;
    this.preparer = parts.preparer;
    this.pipeline = parts.pipeline;
    this.clock = parts.clock;
    this.expiry = new ExpiryQueue(this.clock.maxStepMs);
    this.lastTrim = this.clock.now;
    // Coming into office: every session gets a full timeout from now.
    for (const session of this.table.sessions()) this.watchOver(session);
  }

  get(id: number): LiveSession | undefined {
    return this.live.get(id);
  }

  private watchOver(session: Session): void {
    const live = new LiveSession(session, this.clock.now);
    this.live.set(session.id, live);
    this.expiry.add(live);
  }

  open(opening: Opening, who: string, waiter: Waiter): void {
    const known = this.table.findByClientKey(opening.clientKey);
    const pending = this.opening.get(opening.clientKey);
    const secretHash = known?.terms.secretHash ?? pending?.secretHash;
    if (secretHash !== undefined && !sameSecret(secretHash, opening.secretHash)) {
      const problem = refusal("BAD_ARGUMENTS", "the client key is in use", { field: "client_key" });
      waiter.refused(this.host.appliedZxid, problem);
    } else if (known !== undefined) this.answerOpened(known, waiter);
    else if (pending !== undefined) pending.pending.join(waiter);
    else {
      const ops = [{ ...blankOp(OpKind.openSession, "", emptyStat()), detail: openingDetail(opening) }];
      const draft = { session: this.pipeline.nextZxid, who, request: RequestKind.openSession, ops };
      this.opening.set(opening.clientKey, {
        secretHash: opening.secretHash,
        pending: this.host.propose(draft, waiter),
      });
    }
  }

  /** A retry of an opening that was committed: the same answer again. */
  private answerOpened(session: Session, waiter: Waiter): void {
    const live = this.live.get(session.id);
    if (live === undefined || live.closing) {
      waiter.refused(this.host.appliedZxid, sessionExpired(session.id));
      return;
    }
    this.touch(live);
    waiter.committed(openedBefore(session));
  }

  /**
   * Gives a session to a stream, which gets the next number, or keeps the one it had under an earlier leader: then a
   * higher one wins. Whoever loses the session is told.
   */
  attach(live: LiveSession, holder: StreamHolder, announced: AttachNumber | undefined): AttachNumber | Refusal {
    if (live.closing) return sessionExpired(live.session.id);
    if (announced !== undefined && isHigher(live.attach, announced)) return sessionMoved(live.session.id);
    this.touch(live);
    const { holder: before } = live;
    live.attach = announced !== undefined && this.mayHaveGiven(announced) ? announced : this.nextNumber();
    live.holder = holder;
    if (before !== holder) before?.moved();
    return live.attach;
  }

  private nextNumber(): AttachNumber {
    return { epoch: this.host.epoch, count: ++this.attaches };
  }

  /** Whether a number is one that this leader or an earlier one has given. */
  private mayHaveGiven({ epoch, count }: AttachNumber): boolean {
    return epoch < this.host.epoch || (epoch === this.host.epoch && count <= this.attaches);
  }

  /** A stream is gone. */
  detach(live: LiveSession, holder: StreamHolder): void {
    if (live.holder === holder) live.holder = undefined;
  }

  touch(live: LiveSession): void {
    live.touchedAt = this.clock.now;
  }

  /** Time until a session expires that is not heard of again; none when its end is under way. */
  remainingMs(live: LiveSession): number {
    // Whole milliseconds, never more than there are; a session whose end is due has none left.
    return live.closing ? 0 : Math.max(0, Math.floor(live.timeoutMs - (this.clock.now - live.touchedAt)));
  }

  close(live: LiveSession, waiter: Waiter): void {
    if (live.closing) waiter.refused(this.host.appliedZxid, sessionExpired(live.session.id));
    else this.end(live, false, waiter);
  }

  private end(live: LiveSession, expired: boolean, waiter: Waiter | undefined): void {
    live.closing = true;
    const { id, who } = live.session;
    for (const write of live.early.values()) write.waiter.refused(this.host.appliedZxid, sessionExpired(id));
    live.early.clear();
    const end = blankOp(OpKind.closeSession, "", emptyStat());
    end.cause = expired ? Cause.sessionExpired : Cause.sessionClosed;
    const stamp = { zxid: this.pipeline.nextZxid, time: this.pipeline.now };
    const ops = [end, ...this.preparer.endSession(id, expired, stamp)];
    const request = expired ? RequestKind.expireSession : RequestKind.closeSession;
    this.host.propose({ session: id, who, request, ops }, waiter);
  }

  /** What became of a numbered write; also of a session that has ended, while it is remembered. */
  outcome(id: number, secretHash: string, seq: number): OutcomeReport | Refusal {
    const session = this.table.get(id) ?? this.table.tombstone(id);
    if (session === undefined || !sameSecret(session.terms.secretHash, secretHash)) return sessionExpired(id);
    const ended = session.end !== undefined;
    const outcome = session.outcome(seq);
    if (outcome !== undefined) {
      const { zxid, code } = outcome;
      if (code === 0) return { state: "succeeded", zxid, ended };
      return { state: "failed", zxid, refusal: refusalOfOutcome(outcome), ended };
    }
    if (seq <= session.acked) return { state: "forgotten", ended };
    const live = this.live.get(id);
    const pending = live !== undefined && (live.inFlight.has(seq) || live.early.has(seq));
    return { state: pending ? "pending" : "notSeen", ended };
  }

  tick(): void {
    let count = 0;
    for (const live of this.expiry.due(this.clock.now)) {
      if (live.closing || this.live.get(live.session.id) !== live) continue;
      // Those above the number of one tick are looked at again in the next bucket.
      if (++count > sessionsPerTick) this.expiry.add(live);
      else this.end(live, true, undefined);
    }
    this.trim();
  }

  /** Folds in the acknowledgements of sessions that do not write. */
  private trim(): void {
    if (this.clock.now - this.lastTrim < trimMs) return;
    this.lastTrim = this.clock.now;
    const acked = new Map<number, number>();
    for (const live of this.live.values()) {
      if (live.closing || live.inFlight.size > 0) continue;
      if (live.ackedSeen <= Math.max(live.session.acked, live.ackedTrimmed)) continue;
      live.ackedTrimmed = live.ackedSeen;
      acked.set(live.session.id, live.ackedSeen);
      if (acked.size === sessionsPerTick) break;
    }
    if (acked.size === 0) return;
    const ops = [{ ...blankOp(OpKind.trim, "", emptyStat()), detail: trimDetail(acked) }];
    this.host.propose({ session: 0, who: "", request: RequestKind.trim, ops });
  }

  /** A transaction of this leader was applied: before whoever waits for it is answered. */
  applied(txn: Txn): void {
    if (txn.seq !== 0) this.live.get(txn.session)?.inFlight.delete(txn.seq);
    const { kind } = txn.ops[0]!;
    if (kind === OpKind.closeSession) this.live.delete(txn.session);
    if (kind !== OpKind.openSession) return;
    const session = this.table.get(txn.zxid)!;
    this.opening.delete(session.terms.clientKey);
    this.watchOver(session);
  }
}

/** The answer to a retry of an opening, made of what is known of the session. */
export function openedBefore(session: Session): Txn {
  const ops = [{ ...blankOp(OpKind.openSession, "", emptyStat()), detail: openingDetail(session.terms) }];
  const { id, who } = session;
  const blank = { epoch: 0, time: 0, seq: 0, acked: 0, fingerprint: 0 };
  return { ...blank, zxid: id, session: id, who, request: RequestKind.openSession, ops };
}

/** Compares two hexadecimal hashes in a time that does not depend on where they differ. */
export function sameSecret(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < Math.min(a.length, b.length); i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
