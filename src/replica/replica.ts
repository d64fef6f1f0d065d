/**
 * One server's replica: joins consensus, tree, sessions and watches. Deterministic and without I/O, clock or chance:
 * an input is a method call, an effect is a call on a port, and ports only enqueue.
 *
 * A write goes: submit → (its turn by seq) → prepare against everything in the pipeline → zxid → the batch of this turn
 * → `flush` proposes the batch → `persisted` acknowledges it → commit in order → apply → watch events → answer.
 *
 * Invariants: after every input everything committed is applied; answers reflect committed state only.
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { applyToSessions } from "../sessions/apply.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { Permissions, type Identity } from "../tree/acl.ts";
import { foundingDetail, parseFounding, rejection, type Founding } from "../tree/detail.ts";
import { blankOp, isRefusal, Preparer, type Caller } from "../tree/prepare.ts";
import { requestKindOf, requestProblem, type WriteRequest } from "../tree/request.ts";
import { emptyStat } from "../tree/stat.ts";
import type { Tree } from "../tree/tree.ts";
import { OpKind, RequestKind, type Txn, type TxnOp } from "../tree/txn.ts";
import type { WatchSink } from "../watches/watch-event.ts";
import type { MayRead, Watch } from "../watches/watch-table.ts";
import { Broadcast } from "../zab/broadcast.ts";
import type { DurableLog, LogPosition } from "../zab/durable-log.ts";
import { Establishment } from "../zab/establishment.ts";
import { Quorum } from "../zab/quorum.ts";
import { FreshnessWaits } from "./freshness.ts";
import { sessionExpired, type LiveSession } from "./live-session.ts";
import type { PendingTxn } from "./pending-txn.ts";
import { Pipeline } from "./pipeline.ts";
import type { HistoryPort, HistoryResult, Recovered, ReplySink, SessionSink } from "./ports.ts";
import { readProblem, type Freshness, type ReadRequest } from "./read-request.ts";
import { Reader } from "./reader.ts";
import { RecentTxns } from "./recent-txns.ts";
import { callerOf, SessionKeeper, type KeeperHost, type Opening, type OutcomeReport } from "./session-keeper.ts";
import { SessionStream, type OneShot, type StreamHost } from "./session-stream.ts";
import { waiterOf, type Waiter } from "./waiter.ts";
import { WatchFeeds, wholeTxn, type FeedHost, type WatchRegistration } from "./watch-feeds.ts";
import { WriteOrder, type Turn, type WriteHost } from "./write-order.ts";

export interface ReplicaConfig {
  readonly serverId: number;
  readonly founding: Founding;
  /** Interval of the input `tick`, milliseconds. */
  readonly tickMs: number;
  /** New znodes without an ACL belong to whoever creates them. */
  readonly creatorOwned: boolean;
  /** Tests have smaller ones, to meet their edges. */
  readonly sizes?: { readonly recentTxns?: number; readonly walkPiece?: number };
}

export interface ReplicaPorts {
  readonly log: DurableLog;
  readonly history: HistoryPort;
  /** The replica has become ready to serve. */
  serving(): void;
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

export class Replica implements StreamHost, WriteHost, KeeperHost, FeedHost {
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly reader: Reader;
  appliedZxid: number;

  private readonly config: ReplicaConfig;
  private readonly ports: ReplicaPorts;
  private readonly preparer: Preparer;
  private readonly pipeline: Pipeline;
  private readonly keeper: SessionKeeper;
  private readonly order: WriteOrder;
  private readonly feeds: WatchFeeds;
  private readonly recent: RecentTxns;
  private readonly freshness = new FreshnessWaits();
  private readonly oneShots = new WeakMap<Watch, SessionStream>();

  private readonly quorum: Quorum;
  private readonly establishment: Establishment;
  private broadcast: Broadcast | undefined;
  private writes = 0;
  /** What was logged when this began: the pending tail, and the last transaction of all. */
  private readonly tail: readonly Txn[];
  private readonly history: LogPosition;
  private founding: Founding | undefined;

  private diskLow = false;
  private isServing = false;
  private stopping: { readonly reason: Refusal; readonly stopped: () => void } | undefined;

  /** Takes over what recovery found and asks for the durable steps that bring a leader into office. */
  constructor(config: ReplicaConfig, ports: ReplicaPorts, recovered: Recovered) {
    const { history, log } = ports;
    const { acceptedEpoch, currentEpoch, last, committed, tree, sessions } = recovered;
    this.config = config;
    this.ports = ports;
    this.tree = tree;
    this.sessions = sessions;
    this.founding = recovered.founding;
    this.appliedZxid = committed.zxid;
    this.tail = recovered.tail;
    this.history = last;
    this.reader = new Reader(tree);
    const { sizes } = config;
    this.recent = new RecentTxns({ zxid: this.appliedZxid, ops: wholeTxn + 1 }, sizes?.recentTxns);
    this.feeds = new WatchFeeds(this, { tree, recent: this.recent, history }, sizes?.walkPiece);
    this.preparer = new Preparer(tree, { creatorOwned: config.creatorOwned });
    this.pipeline = new Pipeline({ nextZxid: last.zxid + 1, lastTime: recovered.lastTime });
    this.order = new WriteOrder(this, { recent: this.recent, history });
    this.keeper = new SessionKeeper(this, {
      table: sessions,
      preparer: this.preparer,
      pipeline: this.pipeline,
      tickMs: config.tickMs,
    });
    const { members } = recovered.founding ?? config.founding;
    this.quorum = new Quorum(members.filter(({ voter }) => voter).map(({ id }) => id));
    this.establishment = new Establishment(
      { self: config.serverId, quorum: this.quorum },
      { log, state: { acceptedEpoch, currentEpoch, last, committed }, nextWrite: this.nextWrite },
    );
  }

  private readonly nextWrite = (): number => ++this.writes;

  // ---- what others may know

  get clusterId(): string {
    return (this.founding ?? this.config.founding).clusterId;
  }

  get epoch(): number {
    return this.establishment.epoch;
  }

  get serving(): boolean {
    return this.isServing && this.stopping === undefined;
  }

  /** Time by the expiry clock, milliseconds. */
  get now(): number {
    return this.keeper.clock.now;
  }

  /** The commit point, with the epoch of its own row; undefined until this leader is in office. */
  get committed(): LogPosition | undefined {
    return this.broadcast?.committed;
  }

  get lastLoggedZxid(): number {
    return this.pipeline.nextZxid - 1;
  }

  get watchCount(): number {
    return this.feeds.count;
  }

  get attachedCount(): number {
    return this.keeper.attachedCount;
  }

  /** Digest of everything replicated, as of appliedZxid. */
  digest(): number {
    return (this.tree.digest + this.sessions.digest()) % 2 ** 53;
  }

  /** Why nothing can be done now; undefined while the replica serves. */
  unavailable(): Refusal | undefined {
    if (this.stopping !== undefined) return this.stopping.reason;
    return this.isServing ? undefined : refusal("NO_LEADER", "no leader is established yet");
  }

  // ---- inputs from the world

  /** The wall clock, milliseconds since the Unix epoch: the time of the transactions that follow. */
  setTime(wallMs: number): void {
    this.pipeline.wallMs = wallMs;
  }

  /** Every durable step up to this one is on stable storage. */
  persisted(write: number): void {
    if (this.broadcast === undefined) {
      this.establishment.persisted(write);
      if (this.establishment.phase === "done") this.established();
    } else this.broadcast.persisted(write);
    this.commit();
  }

  /** Time has passed. `monotonicMs` never goes back. */
  tick(monotonicMs: number): void {
    this.keeper.clock.advance(monotonicMs);
    if (!this.isServing) return;
    if (this.stopping === undefined) this.keeper.tick();
    this.order.tick();
    this.freshness.tick(this.now, this.appliedZxid);
    this.feeds.tick();
    this.flush();
    this.broadcast!.storeCommitPoint();
  }

  /** Free space is below the reserve, or above it again. */
  setDiskLow(low: boolean): void {
    this.diskLow = low;
  }

  /** The answer to a read of the history. */
  historyRead(ticket: number, result: HistoryResult): void {
    if (!this.order.historyRead(ticket, result)) this.feeds.historyRead(ticket, result);
  }

  /** A sink that was backlogged has been read. */
  drained(sink: WatchSink): void {
    this.feeds.drained(sink);
  }

  /** Proposes what this turn prepared. Called at the end of every turn that brought requests. */
  flush(): void {
    const batch = this.pipeline.takeBatch();
    if (batch === undefined) return;
    assert(this.broadcast !== undefined, "a batch was prepared before the leader was established");
    this.broadcast.propose(batch.bytes, batch.firstZxid, batch.lastZxid);
  }

  /**
   * Refuses what follows, and ends every stream once the writes under way are committed and answered. Calls back then.
   */
  stop(reason: Refusal, stopped: () => void): void {
    this.flush();
    this.stopping = { reason, stopped };
    this.stopWhenDrained();
  }

  private stopWhenDrained(): void {
    if (this.stopping === undefined || this.pipeline.length > 0) return;
    this.keeper.endStreams(this.stopping.reason);
    this.stopping.stopped();
  }

  // ---- sessions

  /** Opens a session, or finds the one that an earlier try of the same client key opened. */
  openSession(opening: Opening, who: string, sink: ReplySink, call: number): void {
    const problem = this.unavailable() ?? this.overloaded() ?? (this.diskLow ? diskLow() : undefined);
    if (problem !== undefined) sink.refused(call, this.appliedZxid, problem);
    else this.keeper.open(opening, who, waiterOf(sink, call));
  }

  /** The live session of a caller that proves it owns it; a refusal otherwise. Counts as contact. */
  authenticate(id: number, secretHash: string): LiveSession | Refusal {
    return this.unavailable() ?? this.keeper.authenticate(id, secretHash);
  }

  /** Attaches a stream to a session. An older stream of it ends. `address` is the identity of the connection. */
  attach(live: LiveSession, address: Identity | undefined, sink: SessionSink): SessionStream {
    const { id, lastSeq } = live.session;
    live.stream?.end(refusal("SESSION_MOVED", "a newer stream has taken the session over", { session_id: String(id) }));
    const stream = new SessionStream(this, live, callerOf(live, address), sink);
    live.stream = stream;
    this.touch(live);
    sink.attached({ timeoutMs: live.timeoutMs, lastSeq, remainingMs: this.remainingMs(live) });
    return stream;
  }

  touch(live: LiveSession): void {
    this.keeper.touch(live);
  }

  remainingMs(live: LiveSession): number {
    return this.keeper.remainingMs(live);
  }

  close(live: LiveSession, waiter: Waiter): void {
    const problem = this.unavailable();
    if (problem !== undefined) waiter.refused(this.appliedZxid, problem);
    else this.keeper.close(live, waiter);
  }

  /** What became of a numbered write; also of a session that has ended, while it is remembered. */
  outcome(id: number, secretHash: string, seq: number): OutcomeReport | Refusal {
    return this.unavailable() ?? this.keeper.outcome(id, secretHash, seq);
  }

  // ---- writes

  /** A write of a caller without a stream. */
  write(write: {
    request: WriteRequest;
    seq: number;
    ackedSeq: number;
    caller: Caller;
    live: LiveSession | undefined;
    sink: ReplySink;
    call: number;
  }): void {
    const { request, seq, caller, live, sink, call } = write;
    live?.acknowledge(write.ackedSeq);
    if (live !== undefined) this.submit({ request, seq, caller, live, waiter: waiterOf(sink, call) });
    else if (seq === 0) this.submitUnnumbered(request, caller, undefined, waiterOf(sink, call));
    else sink.refused(call, this.appliedZxid, refusal("SESSION_REQUIRED", "a seq needs a session"));
  }

  /** A write of a session, from its stream or not. */
  submit(write: { request: WriteRequest; seq: number; caller: Caller; live: LiveSession; waiter: Waiter }): void {
    if (write.seq !== 0) this.order.submit(write);
    else this.submitUnnumbered(write.request, write.caller, write.live, write.waiter);
  }

  private submitUnnumbered(request: WriteRequest, caller: Caller, live: LiveSession | undefined, waiter: Waiter): void {
    const problem = this.notNow(request, live) ?? requestProblem(request, caller.identities);
    if (problem !== undefined) waiter.refused(this.appliedZxid, problem);
    else this.execute({ request, caller, turn: undefined }, waiter);
  }

  /** Why this write cannot run now; it consumes nothing. */
  notNow(request: WriteRequest, live: LiveSession | undefined): Refusal | undefined {
    const problem = this.unavailable();
    if (problem !== undefined) return problem;
    if (live?.closing === true) return sessionExpired(live.session.id);
    return this.overloaded() ?? (this.diskLow && grows(request) ? diskLow() : undefined);
  }

  /** Bounds the pipeline. Ends of sessions are let through: there are no more of them than sessions. */
  private overloaded(): Refusal | undefined {
    if (this.pipeline.length < pipelineMax) return undefined;
    return refusal("OVERLOADED", "too many writes are in progress", { limit: String(pipelineMax) });
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
    if (this.pipeline.batchBytes >= batchBytes) this.flush();
    return pending;
  }

  /** A transaction that is not a numbered write. */
  propose(draft: { session: number; who: string; request: number; ops: TxnOp[] }, waiter?: Waiter): PendingTxn {
    return this.pipeline.add({ ...draft, seq: 0, acked: 0, fingerprint: 0 }, this.epoch, waiter);
  }

  // ---- commit and apply

  /** The leader is in office: the history it found is committed as a whole, then it serves. */
  private established(): void {
    for (const txn of this.tail) this.apply(txn);
    assert(this.appliedZxid === this.lastLoggedZxid, "the history was not applied as a whole");
    this.preparer.overlay.restart();
    this.broadcast = new Broadcast(
      { self: this.config.serverId, quorum: this.quorum },
      { log: this.ports.log, nextWrite: this.nextWrite },
      { epoch: this.epoch, history: this.history },
    );
    this.keeper.takeOver();
    if (this.founding !== undefined) this.startServing();
    else {
      const op = { ...blankOp(OpKind.found, "", emptyStat()), detail: foundingDetail(this.config.founding) };
      this.propose({ session: 0, who: "", request: RequestKind.found, ops: [op] });
      this.flush();
    }
  }

  private startServing(): void {
    this.isServing = true;
    this.ports.serving();
  }

  private commit(): void {
    if (this.broadcast === undefined) return;
    const { zxid } = this.broadcast.committed;
    if (zxid === this.appliedZxid) return;
    for (;;) {
      const pending = this.pipeline.takeCommitted(zxid);
      if (pending === undefined) break;
      this.apply(pending.txn);
      this.keeper.applied(pending.txn);
      pending.committed();
      this.keeper.ended(pending.txn);
    }
    assert(this.appliedZxid === zxid, "a committed transaction is missing in the pipeline");
    if (!this.isServing && this.founding !== undefined) this.startServing();
    this.freshness.applied(zxid);
    this.stopWhenDrained();
  }

  private apply(txn: Txn): void {
    const { zxid, ops } = txn;
    assert(zxid === this.appliedZxid + 1, "transactions are applied in order");
    for (let index = 0; index < ops.length; index++) {
      const op = ops[index]!;
      this.tree.apply(zxid, op);
      this.preparer.applied(zxid, op);
    }
    applyToSessions(this.sessions, txn);
    this.appliedZxid = zxid;
    this.recent.push(txn);
    const first = ops[0]!;
    if (first.kind === OpKind.found) this.founding = parseFounding(first.detail);
    this.feeds.applied(txn, this.forgetOneShot);
  }

  // ---- reads

  isFresh(freshness: Freshness): boolean {
    if (!this.serving || freshness.minZxid > this.appliedZxid) return false;
    return !freshness.linearizable || this.broadcast!.isConfirmed;
  }

  whenFresh(freshness: Freshness, resume: (problem: Refusal | undefined) => void): void {
    const problem = this.unavailable();
    if (problem !== undefined) resume(problem);
    else if (this.isFresh(freshness)) resume(undefined);
    else if (!freshness.linearizable) this.freshness.add(freshness.minZxid, this.now, resume);
    else {
      // The commit point as of now, and confirmation that nobody else had moved on by then.
      const minZxid = Math.max(freshness.minZxid, this.broadcast!.committed.zxid);
      this.broadcast!.confirmLeadership(() => {
        this.whenFresh({ linearizable: false, minZxid }, resume);
      });
    }
  }

  /** Answers a read of a stream at once; returns whether the one-shot watch it asks for is to be left. */
  read(sink: ReplySink, call: number, request: ReadRequest, caller: Caller): boolean {
    return this.reader.answer(sink, call, request, caller, this.appliedZxid);
  }

  /** A read of a caller without a stream. */
  readUnary(read: { sink: ReplySink; call: number; request: ReadRequest; caller: Caller; freshness: Freshness }): void {
    const { sink, call, request, caller } = read;
    const malformed = readProblem(request, false);
    if (malformed !== undefined) {
      sink.refused(call, this.appliedZxid, malformed);
      return;
    }
    this.whenFresh(read.freshness, (problem) => {
      if (problem === undefined) this.read(sink, call, request, caller);
      else sink.refused(call, this.appliedZxid, problem);
    });
  }

  // ---- watches

  addWatch(registration: WatchRegistration): Watch | Refusal {
    return this.unavailable() ?? this.feeds.add(registration);
  }

  addOneShot(shot: OneShot): Watch {
    const { stream, id, kind, path } = shot;
    const { sink, caller } = stream;
    const watch: Watch = {
      id,
      kind,
      path,
      includeData: false,
      identities: caller.identities,
      sink,
      admits: undefined,
      lastToldMs: this.now,
    };
    this.oneShots.set(watch, stream);
    this.feeds.table.add(watch);
    return watch;
  }

  /** A one-shot that was consumed leaves its stream's table of ids. */
  private readonly forgetOneShot = (watch: Watch): void => {
    this.oneShots.get(watch)?.watches.delete(watch.id);
  };

  removeWatch(watch: Watch): void {
    this.feeds.remove(watch);
  }

  readonly mayRead: MayRead = (identities, rowAcl, path) => {
    const { acls } = this.tree;
    if (!acls.allows(rowAcl, Permissions.read, identities)) return false;
    const slot = this.tree.find(path);
    if (slot < 0) return true;
    const acl = this.tree.acl(slot);
    return acl === rowAcl || acls.allows(acl, Permissions.read, identities);
  };
}

/** A path that may be malformed, such that it can be logged: not too long, and without half a surrogate pair. */
function loggable(path: string): string {
  return path.slice(0, limits.path).replace(/[\ud800-\udfff]/gu, "\ufffd");
}

function grows(request: WriteRequest): boolean {
  if (request.kind === "multi") return request.operations.some((operation) => growing.has(operation.kind));
  return growing.has(request.kind);
}

const growing: ReadonlySet<string> = new Set(["create", "setData", "setAcl"]);

function diskLow(): Refusal {
  return refusal("DISK_LOW", "free disk space is below the reserve: nothing that grows is accepted");
}
