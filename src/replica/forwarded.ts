/** What a follower has forwarded to its leader, or will, and what it does with the answer. */
import { refusal, type Refusal } from "../base/reasons.ts";
import { fingerprint, requestKindOf, requestProblem, type WriteRequest } from "../tree/request.ts";
import type { Identity } from "../tree/acl.ts";
import type { Caller } from "../tree/prepare.ts";
import { RequestKind } from "../tree/txn.ts";
import type { LeaderAnswer } from "./answer-codec.ts";
import type { LocalSession } from "./local-session.ts";
import type { KnownOutcome } from "./past-outcomes.ts";
import { isEncodable, type LearnerRequest, type WriteAsked } from "./request-codec.ts";
import type { SessionStream } from "./session-stream.ts";
import type { Opening } from "./session-keeper.ts";
import { outcomeUnknown, type Waiter } from "./waiter.ts";

/** A write, from a client of this server. */
export interface LocalWrite {
  readonly request: WriteRequest;
  readonly seq: number;
  readonly caller: Caller;
  readonly live: LocalSession | undefined;
  /** The stream it came on. */
  readonly stream: SessionStream | undefined;
  readonly waiter: Waiter;
}

/** Does what was held, once this server leads itself. */
export interface OwnLeader {
  submit(write: LocalWrite): void;
  startSession(opening: Opening, who: string, waiter: Waiter): void;
  endSession(live: LocalSession, waiter: Waiter): void;
}

/** Becomes a transaction, which is awaited here. */
export abstract class ForwardedTxn {
  ticket = 0;
  /** A leader has been asked, and may have done it. */
  wasSent = false;
  /** What the leader knew of it, where it was done before. */
  known: KnownOutcome | undefined;
  /** Another one that became the same transaction. */
  next: ForwardedTxn | undefined;
  readonly waiter: Waiter;

  constructor(waiter: Waiter) {
    this.waiter = waiter;
  }

  abstract readonly asked: LearnerRequest;
  /** The RequestKind. */
  abstract readonly requestKind: number;
  /** Whether nobody waits for it any more. */
  abstract readonly isAbandoned: boolean;
  /** Whether asking twice does it once. */
  abstract readonly isRepeatable: boolean;
  abstract refusalWhenLost(): Refusal;
  abstract redo(leader: OwnLeader): void;
}

export class ForwardedWrite extends ForwardedTxn implements WriteAsked {
  readonly kind = "write";
  readonly write: LocalWrite;
  readonly request: WriteRequest;
  readonly fingerprint: number;

  constructor(write: LocalWrite) {
    super(write.waiter);
    this.write = write;
    this.fingerprint = fingerprint(write.request);
    this.request = sendable(write.request, write.caller.identities);
  }

  get asked(): LearnerRequest {
    return this;
  }

  get stream(): number {
    return this.write.stream?.number ?? 0;
  }

  get session(): number {
    return this.write.caller.session;
  }

  get identities(): readonly Identity[] {
    const { caller, live } = this.write;
    return live === undefined ? caller.identities : caller.identities.slice(live.session.terms.identities.length);
  }

  get seq(): number {
    return this.write.seq;
  }

  get acked(): number {
    return this.write.live?.acked ?? 0;
  }

  get requestKind(): number {
    return requestKindOf(this.write.request);
  }

  get isAbandoned(): boolean {
    return this.write.stream?.isEnded === true;
  }

  get isRepeatable(): boolean {
    return this.seq !== 0;
  }

  refusalWhenLost(): Refusal {
    return outcomeUnknown(this.session, this.seq);
  }

  redo(leader: OwnLeader): void {
    leader.submit(this.write);
  }
}

export class ForwardedOpening extends ForwardedTxn {
  readonly asked: LearnerRequest;
  readonly requestKind = RequestKind.openSession;
  readonly isAbandoned = false;
  /** The client key sees to it. */
  readonly isRepeatable = true;

  private readonly opening: Opening;
  private readonly who: string;

  constructor(opening: Opening, who: string, waiter: Waiter) {
    super(waiter);
    this.opening = opening;
    this.who = who;
    this.asked = { kind: "open", opening, who };
  }

  refusalWhenLost(): Refusal {
    return outcomeUnknown(0, 0);
  }

  redo(leader: OwnLeader): void {
    leader.startSession(this.opening, this.who, this.waiter);
  }
}

export class ForwardedClosing extends ForwardedTxn {
  readonly asked: LearnerRequest;
  readonly requestKind = RequestKind.closeSession;
  readonly isAbandoned = false;
  /** The end of the session answers it, by whatever try it came. */
  readonly isRepeatable = true;
  readonly session: number;
  private readonly live: LocalSession;

  constructor(live: LocalSession, waiter: Waiter) {
    super(waiter);
    this.live = live;
    this.session = live.session.id;
    this.asked = { kind: "close", session: this.session };
  }

  refusalWhenLost(): Refusal {
    return outcomeUnknown(this.session, 0);
  }

  redo(leader: OwnLeader): void {
    leader.endSession(this.live, this.waiter);
  }
}

/** Something the leader is asked that is no write. */
export interface Question {
  readonly asked: LearnerRequest;
  /** Returns whether the answer fits the question. */
  answered(answer: LeaderAnswer): boolean;
  /** The leader was lost. */
  lost(): void;
}

/** What a leader is asked for a write: one that can never succeed travels as its refusal, which uses up its seq. */
function sendable(request: WriteRequest, identities: readonly Identity[]): WriteRequest {
  const problem = writeProblem(request, identities);
  return problem === undefined ? request : { kind: "multi", operations: [], problem };
}

/** Why a write can never succeed. */
export function writeProblem(request: WriteRequest, identities: readonly Identity[]): Refusal | undefined {
  const problem = requestProblem(request, identities);
  if (problem !== undefined || isEncodable(request)) return problem;
  return refusal("BAD_ARGUMENTS", "a path or an ACL is not valid Unicode", {});
}
