/**
 * The leader's half of the line to one learner: reads what its clients ask, has it done, and gathers the answers of a
 * turn. What a learner says is checked like what a client says: malformed bytes are counted and their requests refused.
 */
import { ByteReader, ByteWriter, DecodeError } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Outcome, SessionTable } from "../sessions/session-table.ts";
import { formatIdentities } from "../sessions/session-table.ts";
import type { Identity } from "../tree/acl.ts";
import type { Caller } from "../tree/prepare.ts";
import type { WriteRequest } from "../tree/request.ts";
import type { Txn } from "../tree/txn.ts";
import { beginAnswers, encodeAnswer, encodeProposed, type LeaderAnswer } from "./answer-codec.ts";
import {
  sessionExpired,
  sessionMoved,
  type LiveSession,
  type NumberedWrite,
  type StreamHolder,
} from "./live-session.ts";
import { callerWith } from "./local-session.ts";
import {
  decodeHead,
  decodeRequest,
  type AttachAsked,
  type LearnerRequest,
  type TouchAsked,
  type WriteAsked,
} from "./request-codec.ts";
import type { Opening, SessionKeeper } from "./session-keeper.ts";
import type { Waiter } from "./waiter.ts";
import { WriteBlock } from "./write-block.ts";

/** What a desk needs of its leader. */
export interface DeskHost {
  readonly appliedZxid: number;
  readonly now: number;
  readonly keeper: SessionKeeper;
  readonly sessions: SessionTable;
  /** Whether the leader is about to resign, and takes no more writes. */
  readonly isClosing: boolean;
  submit(live: LiveSession, write: NumberedWrite): void;
  submitUnnumbered(request: WriteRequest, caller: Caller, live: LiveSession | undefined, waiter: Waiter): void;
  open(opening: Opening, who: string, waiter: Waiter): void;
  /** Calls back with the commit point once this leader is known to lead; not at all if it does not. */
  confirmed(done: (zxid: number) => void): void;
  /** Digest of a member as of a transaction. */
  digestReported(member: number, zxid: number, digest: number): void;
  answer(member: number, payload: Uint8Array): void;
}

/** Identities of a caller without a session: the credential and the address. */
const identitiesMax = limits.identities + 1;
const textMax = 4096;

export class LearnerDesk {
  /** Batches that could not be understood. */
  malformed = 0;
  private readonly host: DeskHost;
  private readonly member: number;
  private readonly streams = new Map<number, RemoteStream>();
  private readonly answers = new ByteWriter(16 * 1024);
  private isGone = false;

  constructor(host: DeskHost, member: number) {
    this.host = host;
    this.member = member;
  }

  /** The learner is gone: its streams hold their sessions no more, and nobody hears answers. */
  gone(): void {
    this.isGone = true;
    for (const stream of this.streams.values()) this.host.keeper.detach(stream.live, stream);
    this.streams.clear();
  }

  // ---- answers

  say(answer: LeaderAnswer): void {
    if (this.isGone) return;
    this.begin();
    encodeAnswer(answer, this.answers);
  }

  proposed(ticket: number, zxid: number): void {
    if (this.isGone) return;
    this.begin();
    encodeProposed(ticket, zxid, this.answers);
  }

  private begin(): void {
    if (this.answers.length === 0) beginAnswers(this.answers);
  }

  /** Sends what was answered in this turn. */
  flush(): void {
    if (this.answers.length === 0 || this.isGone) return;
    this.host.answer(this.member, this.answers.copy());
    this.answers.reset();
  }

  // ---- requests

  received(payload: Uint8Array): void {
    const reader = new ByteReader(payload);
    let ticket = 0;
    let end = 0;
    try {
      const { count, firstTicket } = decodeHead(reader);
      // A request takes one byte at least.
      if (count > payload.length) throw new DecodeError("more requests than bytes");
      ticket = firstTicket;
      end = firstTicket + count;
      for (; ticket < end; ticket++) this.handle(ticket, decodeRequest(reader));
      if (!reader.done) throw new DecodeError("bytes after the last request");
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.malformed++;
      for (; ticket < end; ticket++)
        this.refuse(ticket, refusal("BAD_ARGUMENTS", "the request was garbled on its way"));
    }
  }

  private refuse(ticket: number, problem: Refusal): void {
    this.say({ kind: "refused", ticket, refusal: problem });
  }

  private handle(ticket: number, request: LearnerRequest): void {
    switch (request.kind) {
      case "write":
        if (this.host.isClosing) this.say({ kind: "declined", ticket });
        else this.write(ticket, request);
        return;
      case "open":
        if (this.host.isClosing) this.say({ kind: "declined", ticket });
        else this.open(ticket, request.opening, request.who);
        return;
      case "close":
        if (this.host.isClosing) this.say({ kind: "declined", ticket });
        else this.close(ticket, request.session);
        return;
      case "attach":
        this.attach(ticket, request);
        return;
      case "detach":
        this.detach(request.stream);
        return;
      case "readIndex":
        this.host.confirmed((zxid) => {
          this.say({ kind: "readIndex", ticket, zxid });
        });
        return;
      case "touch":
        this.touch(ticket, request);
        return;
      case "outcome":
        this.host.confirmed(() => {
          const report = this.host.keeper.outcome(request.session, request.secretHash, request.seq);
          if ("reason" in report) this.refuse(ticket, report);
          else this.say({ kind: "outcome", ticket, report });
        });
        return;
      case "digest":
        this.host.digestReported(this.member, request.zxid, request.digest);
        return;
    }
  }

  private write(ticket: number, asked: WriteAsked): void {
    if (asked.stream !== 0) {
      const stream = this.streams.get(asked.stream);
      // It has lost its session, and will hear of it, if it has not yet.
      if (stream === undefined) this.refuse(ticket, sessionMoved(0));
      else this.writeOfSession(ticket, asked, stream.live, stream.caller, stream.block);
      return;
    }
    if (asked.session === 0) {
      if (asked.identities.length > identitiesMax || asked.seq !== 0) {
        this.refuse(ticket, refusal("SESSION_REQUIRED", "a seq needs a session"));
        return;
      }
      const { identities } = asked;
      const caller = { session: 0, identities, who: formatIdentities(identities) };
      this.host.submitUnnumbered(asked.request, caller, undefined, new RemoteWaiter(this, ticket, 0, undefined));
      return;
    }
    const live = this.host.keeper.get(asked.session);
    if (live === undefined || asked.identities.length > identitiesMax)
      this.refuse(ticket, sessionExpired(asked.session));
    else this.writeOfSession(ticket, asked, live, callerWith(live.session, asked.identities), undefined);
  }

  private writeOfSession(
    ticket: number,
    asked: WriteAsked,
    live: LiveSession,
    caller: Caller,
    block: WriteBlock | undefined,
  ): void {
    const { keeper } = this.host;
    const { seq, acked, request, fingerprint } = asked;
    if (live.closing) {
      this.refuse(ticket, sessionExpired(live.session.id));
      return;
    }
    keeper.touch(live);
    live.acknowledge(acked);
    const waiter = new RemoteWaiter(this, ticket, seq, block);
    const blocked = block?.isBlocked === true && seq !== 0 ? block.answer(seq, live.nextSeq) : undefined;
    if (blocked !== undefined) this.refuse(ticket, blocked);
    else if (seq === 0) this.host.submitUnnumbered(request, caller, live, waiter);
    else this.host.submit(live, { seq, request, fingerprint, caller, waiter, since: this.host.now });
  }

  private open(ticket: number, opening: Opening, who: string): void {
    const { timeoutMs, clientKey, secretHash, identities } = opening;
    const { sessionTimeoutMsMin: min, sessionTimeoutMsMax: max } = limits;
    const isSound = timeoutMs >= min && timeoutMs <= max && identities.length <= limits.identities;
    const isShort = clientKey.length <= textMax && secretHash.length <= textMax && who.length <= textMax;
    if (!isSound || !isShort) {
      this.refuse(ticket, refusal("BAD_ARGUMENTS", "the terms of the session are not acceptable"));
    } else this.host.open(opening, who, new RemoteWaiter(this, ticket, 0, undefined));
  }

  private close(ticket: number, session: number): void {
    const { keeper } = this.host;
    const live = keeper.get(session);
    if (live === undefined) this.refuse(ticket, sessionExpired(session));
    else keeper.close(live, new RemoteWaiter(this, ticket, 0, undefined));
  }

  private attach(ticket: number, asked: AttachAsked): void {
    const { keeper } = this.host;
    const live = keeper.get(asked.session);
    if (live === undefined || asked.stream === 0 || asked.identities.length > identitiesMax) {
      this.refuse(ticket, sessionExpired(asked.session));
      return;
    }
    const known = this.streams.get(asked.stream);
    const stream = known?.live === live ? known : new RemoteStream(this, asked.stream, live, asked.identities);
    const number = keeper.attach(live, stream, asked.number);
    if ("reason" in number) {
      this.refuse(ticket, number);
      return;
    }
    this.streams.set(asked.stream, stream);
    this.host.confirmed((zxid) => {
      this.say({ kind: "attached", ticket, number, zxid });
    });
  }

  private detach(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    this.streams.delete(id);
    this.host.keeper.detach(stream.live, stream);
  }

  /** A stream of this learner has lost its session. */
  moved(stream: RemoteStream): void {
    if (this.streams.get(stream.id) === stream) this.streams.delete(stream.id);
    this.say({ kind: "moved", stream: stream.id });
  }

  private touch(ticket: number, asked: TouchAsked): void {
    const { keeper } = this.host;
    const ended: number[] = [];
    for (const { session, acked } of asked.sessions) {
      const live = keeper.get(session);
      if (live === undefined || live.closing) {
        ended.push(session);
        continue;
      }
      keeper.touch(live);
      live.acknowledge(acked);
    }
    if (!asked.proof) return;
    this.host.confirmed(() => {
      this.say({ kind: "touched", ticket, ended });
    });
  }
}

/** A stream on another server that has a session. */
class RemoteStream implements StreamHolder {
  readonly id: number;
  readonly live: LiveSession;
  readonly caller: Caller;
  readonly block = new WriteBlock();
  private readonly desk: LearnerDesk;

  constructor(desk: LearnerDesk, id: number, live: LiveSession, identities: readonly Identity[]) {
    this.desk = desk;
    this.id = id;
    this.live = live;
    this.caller = callerWith(live.session, identities);
  }

  moved(): void {
    this.desk.moved(this);
  }
}

/** A write of another server's client: answered as soon as it has a zxid, since that server waits until it applied it. */
class RemoteWaiter implements Waiter {
  private readonly desk: LearnerDesk;
  private readonly ticket: number;
  private readonly seq: number;
  private readonly block: WriteBlock | undefined;
  private isAnswered = false;

  constructor(desk: LearnerDesk, ticket: number, seq: number, block: WriteBlock | undefined) {
    this.desk = desk;
    this.ticket = ticket;
    this.seq = seq;
    this.block = block;
  }

  proposed(zxid: number): boolean {
    if (!this.isAnswered) this.desk.proposed(this.ticket, zxid);
    this.isAnswered = true;
    return true;
  }

  repeated({ zxid, code, failedOp }: Outcome): boolean {
    this.desk.say({ kind: "repeated", ticket: this.ticket, zxid, code, failedOp });
    this.isAnswered = true;
    return true;
  }

  committed(txn: Txn): void {
    this.proposed(txn.zxid);
  }

  committedBefore(zxid: number): void {
    this.proposed(zxid);
  }

  refused(_zxid: number, problem: Refusal): void {
    this.block?.refused(this.seq, problem);
    this.desk.say({ kind: "refused", ticket: this.ticket, refusal: problem });
  }

  lost(): void {
    // The link to that server has ended: it asks the next leader.
  }
}
