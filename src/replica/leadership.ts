/**
 * What exists only while this server leads: preparation against everything in the pipeline, the order of numbered
 * writes, the care for sessions, the lines to the learners. Made when the leader comes into office, from committed state
 * alone, and dropped when it leaves; nothing of it survives.
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Outcome, SessionTable } from "../sessions/session-table.ts";
import { foundingDetail, rejection, type Founding } from "../tree/detail.ts";
import { blankOp, isRefusal, Preparer, type Caller } from "../tree/prepare.ts";
import { requestKindOf, requestProblem, type WriteRequest } from "../tree/request.ts";
import { emptyStat } from "../tree/stat.ts";
import type { Tree } from "../tree/tree.ts";
import { OpKind, RequestKind, type Txn, type TxnOp } from "../tree/txn.ts";
import type { Peer } from "../zab/peer.ts";
import { ByteWriter } from "../base/bytes.ts";
import { Quorum } from "../zab/quorum.ts";
import { beginAnswers, encodeAnswer, type LeaderAnswer } from "./answer-codec.ts";
import { DigestCourt } from "./digests.ts";
import type { ExpiryClock } from "./expiry.ts";
import { LearnerDesk, type DeskHost } from "./learner-desk.ts";
import { sessionExpired, type LiveSession, type NumberedWrite } from "./live-session.ts";
import type { PendingTxn } from "./pending-txn.ts";
import { Pipeline } from "./pipeline.ts";
import { SessionKeeper, type KeeperHost, type Opening } from "./session-keeper.ts";
import type { Waiter } from "./waiter.ts";
import { WriteOrder, type Turn, type WriteHost } from "./write-order.ts";

/** What a leader needs of its replica. */
export interface LeadershipHost {
  readonly appliedZxid: number;
  readonly clock: ExpiryClock;
  readonly peer: Peer;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  /** Whether it is about to stop. */
  readonly isStopping: boolean;
  /** Answers a write that was done before. */
  answerAgain(outcome: Outcome, request: number, waiter: Waiter): void;
  /** What most voters have as their digest; undefined when no majority agrees. */
  verdict(zxid: number, digest: number | undefined): void;
}

/** A write without its waiter. */
interface Write {
  readonly request: WriteRequest;
  readonly caller: Caller;
  readonly turn: Turn | undefined;
}

/** Transactions above this wait in the pipeline: further writes are refused for now. */
const pipelineMax = 50_000;
/** Bytes of a batch that are proposed without waiting for the end of the turn. */
const batchBytes = 1024 * 1024;

export class Leadership implements WriteHost, KeeperHost, DeskHost {
  readonly epoch: number;
  readonly keeper: SessionKeeper;
  readonly pipeline: Pipeline;
  private readonly host: LeadershipHost;
  private readonly preparer: Preparer;
  private readonly order: WriteOrder;
  private readonly desks = new Map<number, LearnerDesk>();
  private readonly court: DigestCourt;
  private isApplying = false;
  /** Whether writes that grow the tree are refused: no quorum has room for them. */
  private growthRefused = false;

  constructor(host: LeadershipHost, office: { epoch: number; lastTime: number; creatorOwned: boolean }) {
    this.host = host;
    this.epoch = office.epoch;
    const { peer, tree, sessions, clock } = host;
    assert(peer.last.zxid === host.appliedZxid, "a leader has applied the whole history before it prepares");
    this.preparer = new Preparer(tree, { creatorOwned: office.creatorOwned });
    this.pipeline = new Pipeline({ nextZxid: host.appliedZxid + 1, lastTime: office.lastTime });
    this.order = new WriteOrder(this);
    this.keeper = new SessionKeeper(this, { table: sessions, preparer: this.preparer, pipeline: this.pipeline, clock });
    const voters = peer.members.filter(({ voter }) => voter).map(({ id }) => id);
    this.court = new DigestCourt(new Quorum(voters), (zxid, digest) => {
      this.tellAll({ kind: "verdict", zxid, digest });
      this.host.verdict(zxid, digest);
    });
    this.diskChanged();
  }

  // ---- facts

  get appliedZxid(): number {
    return this.host.appliedZxid;
  }

  get now(): number {
    return this.host.clock.now;
  }

  get sessions(): SessionTable {
    return this.host.sessions;
  }

  get isClosing(): boolean {
    return this.host.isStopping;
  }

  // ---- inputs

  tick(): void {
    this.diskChanged();
    if (!this.host.isStopping) this.keeper.tick();
    this.order.tick();
    this.court.tick(this.now);
  }

  /** Free space may have changed, here or elsewhere. */
  diskChanged(): void {
    this.growthRefused = this.host.peer.growthRefused;
  }

  /** The end of a turn: answers go before the proposals they speak of. */
  flush(): void {
    for (const desk of this.desks.values()) desk.flush();
    this.proposeBatch();
  }

  private proposeBatch(): void {
    // What is prepared while transactions are applied is proposed after that.
    if (this.isApplying) return;
    const batch = this.pipeline.takeBatch();
    if (batch !== undefined) this.host.peer.propose(batch.bytes, batch.firstZxid, batch.lastZxid);
  }

  /** Transactions up to this one are committed: `apply` is called with each, and those who wait are answered. */
  committed(zxid: number, apply: (txn: Txn) => void, answered: (txn: Txn) => void): void {
    this.isApplying = true;
    for (let pending = this.takeCommitted(zxid); pending !== undefined; pending = this.takeCommitted(zxid)) {
      const { txn } = pending;
      apply(txn);
      for (let index = 0; index < txn.ops.length; index++) this.preparer.applied(txn.zxid, txn.ops[index]!);
      this.keeper.applied(txn);
      pending.committed();
      answered(txn);
    }
    this.isApplying = false;
    assert(this.host.appliedZxid === zxid, "a committed transaction is missing in the pipeline");
  }

  private takeCommitted(zxid: number): PendingTxn | undefined {
    return this.pipeline.takeCommitted(zxid);
  }

  /** This server leads no more. */
  end(): void {
    for (const desk of this.desks.values()) desk.gone();
    this.desks.clear();
    this.pipeline.abandon(this.appliedZxid);
    this.order.abandon();
  }

  // ---- learners

  learnerJoined(member: number): void {
    this.learnerLeft(member);
    this.desks.set(member, new LearnerDesk(this, member));
  }

  learnerLeft(member: number): void {
    this.desks.get(member)?.gone();
    this.desks.delete(member);
  }

  received(from: number, payload: Uint8Array): void {
    this.desks.get(from)?.received(payload);
  }

  answer(member: number, payload: Uint8Array): void {
    this.host.peer.answer(member, payload);
  }

  private tellAll(answer: LeaderAnswer): void {
    const writer = new ByteWriter();
    beginAnswers(writer);
    encodeAnswer(answer, writer);
    this.host.peer.broadcast(writer.copy());
  }

  confirmed(done: (zxid: number) => void): void {
    this.host.peer.confirmLeadership((zxid) => {
      if (zxid !== undefined) done(zxid);
    });
  }

  digestReported(member: number, zxid: number, digest: number): void {
    this.court.reported(member, zxid, digest, this.now);
  }

  // ---- writes

  /** Transaction 1. */
  found(founding: Founding): void {
    const op = { ...blankOp(OpKind.found, "", emptyStat()), detail: foundingDetail(founding) };
    this.propose({ session: 0, who: "", request: RequestKind.found, ops: [op] });
  }

  open(opening: Opening, who: string, waiter: Waiter): void {
    const problem = this.overloaded() ?? (this.growthRefused ? diskLow() : undefined);
    if (problem !== undefined) waiter.refused(this.appliedZxid, problem);
    else this.keeper.open(opening, who, waiter);
  }

  /** A numbered write. */
  submit(live: LiveSession, write: NumberedWrite): void {
    this.order.submit(live, write);
  }

  submitUnnumbered(request: WriteRequest, caller: Caller, live: LiveSession | undefined, waiter: Waiter): void {
    const problem = this.notNow(request, live) ?? requestProblem(request, caller.identities);
    if (problem !== undefined) waiter.refused(this.appliedZxid, problem);
    else this.execute({ request, caller, turn: undefined }, waiter);
  }

  /** Why this write cannot run now; it consumes nothing. */
  notNow(request: WriteRequest, live: LiveSession | undefined): Refusal | undefined {
    if (live?.closing === true) return sessionExpired(live.session.id);
    return this.overloaded() ?? (this.growthRefused && grows(request) ? diskLow() : undefined);
  }

  /** Bounds the pipeline. Ends of sessions are let through: there are no more of them than sessions. */
  private overloaded(): Refusal | undefined {
    if (this.pipeline.length < pipelineMax) return undefined;
    return refusal("OVERLOADED", "too many writes are in progress", { limit: String(pipelineMax) });
  }

  answerAgain(outcome: Outcome, request: number, waiter: Waiter): void {
    this.host.answerAgain(outcome, request, waiter);
  }

  /** Prepares a well-formed write and proposes it, or proposes its rejection. */
  execute(write: Write, waiter: Waiter): PendingTxn {
    const { request, caller } = write;
    const stamp = { zxid: this.pipeline.nextZxid, time: this.pipeline.now };
    const prepared = this.preparer.prepare(request, caller, stamp);
    return isRefusal(prepared) ? this.reject(prepared, write, waiter) : this.proposeWrite(write, prepared, waiter);
  }

  /** A refusal that depends on state, or that has a seq, is a transaction: it is answered when it is committed. */
  reject(refused: Refusal, write: Write, waiter: Waiter): PendingTxn {
    const { request } = write;
    const path = request.kind === "multi" ? "" : loggable(request.path);
    const op = { ...blankOp(OpKind.rejected, path, emptyStat()), ...rejection(refused) };
    return this.proposeWrite(write, [op], waiter);
  }

  private proposeWrite(write: Write, ops: TxnOp[], waiter: Waiter): PendingTxn {
    const { request, caller, turn } = write;
    const draft = {
      session: caller.session,
      who: caller.who,
      request: requestKindOf(request),
      ops,
      seq: turn === undefined ? 0 : turn.seq,
      // Nobody can have seen the outcome of the write that says so, whatever the client claims.
      acked: turn === undefined ? 0 : Math.min(turn.live.ackedSeen, turn.seq - 1),
      fingerprint: turn === undefined ? 0 : turn.fingerprint,
    };
    const pending = this.pipeline.add(draft, this.epoch, waiter);
    if (this.pipeline.batchBytes >= batchBytes) this.proposeBatch();
    return pending;
  }

  /** A transaction that is not a write of a client. */
  propose(draft: { session: number; who: string; request: number; ops: TxnOp[] }, waiter?: Waiter): PendingTxn {
    return this.pipeline.add({ ...draft, seq: 0, acked: 0, fingerprint: 0 }, this.epoch, waiter);
  }
}

/** A path that may be malformed, such that it can be logged: not too long, and without half a surrogate pair. */
function loggable(path: string): string {
  return path.slice(0, limits.path).toWellFormed();
}

function grows(request: WriteRequest): boolean {
  if (request.kind === "multi") return request.operations.some((operation) => growing.has(operation.kind));
  return growing.has(request.kind);
}

const growing: ReadonlySet<string> = new Set(["create", "setData", "setAcl"]);

function diskLow(): Refusal {
  return refusal("DISK_LOW", "free disk space is below the reserve: nothing that grows is accepted");
}
