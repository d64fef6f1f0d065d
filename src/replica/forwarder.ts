/**
 * A follower's line to its leader: what its clients ask is sent, one batch a turn, and answered by ticket. A write is
 * answered with the zxid of its transaction before that is committed, and waits here until this server has applied it.
 *
 * When the leader is lost, everything that is safe to ask twice is held and asked again, in the order in which it came,
 * of the next leader; the rest may or may not have happened. What comes while there is no leader is held too.
 *
 * Invariant: `outstanding` holds what this leader was asked and has not answered, or whose transaction is not applied.
 */
import { ByteReader, ByteWriter, DecodeError } from "../base/bytes.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { SeqMap } from "../base/seq-map.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { Cause, OpKind, type Txn } from "../tree/txn.ts";
import { decodeAnswers, type LeaderAnswer } from "./answer-codec.ts";
import { ForwardedClosing, ForwardedTxn, type Question } from "./forwarded.ts";
import { sessionExpired } from "./live-session.ts";
import type { PastOutcomes } from "./past-outcomes.ts";
import { beginRequests, encodeRequest, endRequests, type LearnerRequest } from "./request-codec.ts";
import { openedBefore } from "./session-keeper.ts";

/** What is needed of the replica. */
export interface ForwarderHost {
  readonly appliedZxid: number;
  /** Sends a batch to the leader. */
  request(payload: Uint8Array): void;
  /** The leader says something that nobody asked. */
  told(answer: LeaderAnswer & { kind: "moved" | "verdict" }): void;
}

/** Writes that wait here; more are refused for now. */
const outstandingMax = 50_000;
/** How far a leader can be ahead of what is applied here: an answer beyond that is nonsense. */
const aheadMax = 2 ** 22;
/** Bytes of a batch that are sent without waiting for the end of the turn. */
const batchBytes = 1024 * 1024;

export class Forwarder {
  /** Answers that could not be understood. */
  malformed = 0;
  private readonly host: ForwarderHost;
  private readonly sessions: SessionTable;
  private readonly past: PastOutcomes;
  private isConnected = false;
  private tickets = 0;
  private outstanding = new SeqMap<ForwardedTxn | Question>();
  /** Those of them whose transaction is known and not applied, by its zxid. */
  private awaited = new SeqMap<ForwardedTxn>();
  private held: ForwardedTxn[] = [];
  private readonly batch = new ByteWriter(16 * 1024);
  private batchCount = 0;

  constructor(host: ForwarderHost, state: { sessions: SessionTable; past: PastOutcomes }) {
    this.host = host;
    this.sessions = state.sessions;
    this.past = state.past;
  }

  /** Writes under way. */
  get count(): number {
    return this.outstanding.size + this.held.length;
  }

  overloaded(): Refusal | undefined {
    if (this.count < outstandingMax) return undefined;
    return refusal("OVERLOADED", "too many writes are in progress", { limit: String(outstandingMax) });
  }

  // ---- to the leader

  submit(forwarded: ForwardedTxn): void {
    if (this.isConnected) this.send(forwarded);
    else this.held.push(forwarded);
  }

  /** Asks the leader something; false when there is none. */
  ask(question: Question): boolean {
    if (!this.isConnected) return false;
    this.outstanding.set(this.append(question.asked), question);
    return true;
  }

  /** Tells the leader something that is not answered. */
  tell(request: LearnerRequest): void {
    if (this.isConnected) this.append(request);
  }

  private send(forwarded: ForwardedTxn): void {
    forwarded.ticket = this.append(forwarded.asked);
    this.outstanding.set(forwarded.ticket, forwarded);
  }

  /** Adds a request to the batch of this turn and returns its ticket. */
  private append(request: LearnerRequest): number {
    const { batch } = this;
    const ticket = ++this.tickets;
    if (this.batchCount++ === 0) beginRequests(batch, ticket);
    encodeRequest(request, batch);
    if (batch.length >= batchBytes) this.flush();
    return ticket;
  }

  /** Sends what was asked in this turn. */
  flush(): void {
    if (this.batchCount === 0) return;
    endRequests(this.batch, this.batchCount);
    this.batchCount = 0;
    this.host.request(this.batch.copy());
  }

  // ---- leaders come and go

  /** This server follows. Streams are announced before what is held is sent. */
  connect(): void {
    this.isConnected = true;
  }

  sendHeld(): void {
    for (const forwarded of this.takeHeld()) this.send(forwarded);
  }

  /** What waits for a leader: this server leads, and does it itself. */
  takeHeld(): ForwardedTxn[] {
    const { held } = this;
    this.held = [];
    return held.filter((forwarded) => !forwarded.isAbandoned);
  }

  /** The leader is lost. */
  lost(): void {
    const firstUnsent = this.tickets - this.batchCount + 1;
    this.isConnected = false;
    this.batchCount = 0;
    const { outstanding } = this;
    this.outstanding = new SeqMap();
    this.awaited = new SeqMap();
    const again: ForwardedTxn[] = [];
    for (const each of outstanding.values()) {
      if (!(each instanceof ForwardedTxn)) each.lost();
      else if (each.isAbandoned) continue;
      else if (each.isRepeatable || !wasSent(each, firstUnsent)) again.push(forget(each));
      else each.waiter.refused(this.host.appliedZxid, each.refusalWhenLost());
    }
    this.held = [...again, ...this.held];
  }

  /** There was no leader for too long, or this server stops. */
  refuseHeld(reason: Refusal): void {
    for (const each of this.takeHeld()) {
      each.waiter.refused(this.host.appliedZxid, each.wasSent ? each.refusalWhenLost() : reason);
    }
  }

  // ---- from the leader

  /** Takes what the leader has answered. */
  received(payload: Uint8Array): void {
    try {
      decodeAnswers(new ByteReader(payload), (answer) => {
        this.answered(answer);
      });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.malformed++;
    }
  }

  private answered(answer: LeaderAnswer): void {
    if (answer.kind === "moved" || answer.kind === "verdict") {
      this.host.told(answer);
      return;
    }
    const { ticket } = answer;
    const asked = this.outstanding.get(ticket);
    if (asked === undefined) this.malformed++;
    else if (asked instanceof ForwardedTxn) this.txnAnswered(asked, answer);
    else {
      this.outstanding.delete(ticket);
      if (asked.answered(answer)) return;
      this.malformed++;
      asked.lost();
    }
  }

  private txnAnswered(asked: ForwardedTxn, answer: LeaderAnswer): void {
    switch (answer.kind) {
      case "proposed":
        this.await(asked, answer.zxid);
        return;
      case "repeated":
        asked.known = answer;
        this.await(asked, answer.zxid);
        return;
      case "refused":
        this.outstanding.delete(asked.ticket);
        asked.waiter.refused(this.host.appliedZxid, answer.refusal);
        return;
      case "declined":
        this.outstanding.delete(asked.ticket);
        this.held.push(asked);
        return;
      default:
        this.malformed++;
    }
  }

  private await(asked: ForwardedTxn, zxid: number): void {
    if (zxid - this.host.appliedZxid > aheadMax) {
      this.malformed++;
      return;
    }
    if (zxid <= this.host.appliedZxid) {
      this.outstanding.delete(asked.ticket);
      this.answerAgain(asked, zxid);
      return;
    }
    asked.next = this.awaited.get(zxid);
    this.awaited.set(zxid, asked);
  }

  /** A write whose transaction was applied before its answer came. */
  private answerAgain(asked: ForwardedTxn, zxid: number): void {
    const { waiter } = asked;
    if (asked.asked.kind === "open") {
      const session = this.sessions.get(zxid);
      if (session === undefined) waiter.refused(this.host.appliedZxid, sessionExpired(zxid));
      else waiter.committed(openedBefore(session));
    } else this.past.answer(asked.known ?? { zxid, code: 0, failedOp: 0 }, asked.requestKind, waiter);
  }

  /** A transaction was applied, and watches were told: whoever waits for it is answered. */
  applied(txn: Txn): void {
    for (let each = this.awaited.get(txn.zxid); each !== undefined; each = each.next) {
      this.outstanding.delete(each.ticket);
      each.waiter.committed(txn);
    }
    this.awaited.delete(txn.zxid);
    const first = txn.ops[0]!;
    if (first.kind === OpKind.closeSession && first.cause === Cause.sessionClosed) this.closed(txn);
  }

  /** A session was closed: also for a try that a leader took which has been lost since. */
  private closed(txn: Txn): void {
    const isClosing = (each: ForwardedTxn | Question): each is ForwardedClosing =>
      each instanceof ForwardedClosing && each.session === txn.session;
    const held = this.held.filter(isClosing);
    if (held.length === 0) return;
    this.held = this.held.filter((each) => !isClosing(each));
    for (const each of held) each.waiter.committed(txn);
  }
}

/** Whether any leader was asked, for whom everything before this ticket was sent. */
function wasSent(forwarded: ForwardedTxn, firstUnsent: number): boolean {
  if (forwarded.ticket < firstUnsent) forwarded.wasSent = true;
  return forwarded.wasSent;
}

/** What the lost leader said of it means nothing any more. */
function forget(forwarded: ForwardedTxn): ForwardedTxn {
  forwarded.known = undefined;
  forwarded.next = undefined;
  return forwarded;
}
