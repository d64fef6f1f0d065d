/**
 * One server's replica: joins consensus, tree, sessions and watches. Deterministic and without I/O, clock or chance:
 * an input is a method call, an effect is a call on a port, and ports only enqueue.
 *
 * A write goes: submit → (its turn by seq) → prepare against everything in the pipeline → zxid → the batch of this turn
 * → `flush` proposes the batch → `persisted` acknowledges it → commit in order → apply → watch events → answer.
 *
 * Invariants: appliedZxid = committed zxid after every input; the pipeline holds exactly the transactions between the
 * commit point and the last zxid given out; answers reflect committed state only.
 */
import { assert } from "../base/assert.ts";
import { ByteWriter } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { Queue } from "../base/queue.ts";
import { reasonOfNumber, reasonTable, refusal, type Refusal } from "../base/reasons.ts";
import { applyToSessions } from "../sessions/apply.ts";
import type { Outcome, Session, SessionTable } from "../sessions/session-table.ts";
import { formatIdentities } from "../sessions/session-table.ts";
import { Permissions, type Identity } from "../tree/acl.ts";
import { foundingDetail, openingDetail, parseFounding, rejection, trimDetail, type Founding } from "../tree/detail.ts";
import { blankOp, isRefusal, Preparer, type Caller, type Prepared } from "../tree/prepare.ts";
import { fingerprint, requestKindOf, requestProblem, type WriteRequest } from "../tree/request.ts";
import { emptyStat } from "../tree/stat.ts";
import type { Tree } from "../tree/tree.ts";
import { Cause, OpKind, RequestKind, type Txn, type TxnOp } from "../tree/txn.ts";
import type { MayRead, Watch } from "../watches/watch-table.ts";
import type { WatchSink } from "../watches/watch-event.ts";
import { Broadcast } from "../zab/broadcast.ts";
import type { DurableLog } from "../zab/durable-log.ts";
import { Establishment } from "../zab/establishment.ts";
import { Quorum } from "../zab/quorum.ts";
import { ExpiryClock, ExpiryQueue } from "./expiry.ts";
import { FreshnessWaits } from "./freshness.ts";
import { LiveSession, sessionExpired, type NumberedWrite } from "./live-session.ts";
import { PendingTxn } from "./pending-txn.ts";
import type { HistoryPort, HistoryResult, Recovered, ReplySink, SessionSink } from "./ports.ts";
import { readProblem, type Freshness, type ReadRequest } from "./read-request.ts";
import { Reader } from "./reader.ts";
import { RecentTxns } from "./recent-txns.ts";
import { SessionStream, type StreamHost } from "./session-stream.ts";
import { encodeTxn } from "./txn-codec.ts";
import { waiterOf, type Waiter } from "./waiter.ts";
import { WatchFeeds, wholeTxn, type WatchRegistration } from "./watch-feeds.ts";

export interface ReplicaConfig {
  readonly serverId: number;
  readonly founding: Founding;
  /** Interval of the input `tick`, milliseconds. */
  readonly tickMs: number;
  /** New znodes without an ACL belong to whoever creates them. */
  readonly creatorOwned: boolean;
}

export interface ReplicaPorts {
  readonly log: DurableLog;
  readonly history: HistoryPort;
  /** The replica has become ready to serve. */
  serving(): void;
}

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

/** Transactions above this wait in the pipeline: further writes are refused for now. */
const pipelineMax = 50_000;
/** Bytes of a batch that are proposed without waiting for the end of the turn. */
const batchBytes = 1024 * 1024;
/** How often acknowledgements of sessions that do not write are folded in, milliseconds. */
const trimMs = 5000;
/** Sessions one tick ends, or one trim names, at most. */
const sessionsPerTick = 1000;
const outcomeReadBytes = limits.transaction;

export class Replica implements StreamHost {
  readonly tree: Tree;
  readonly sessions: SessionTable;
  appliedZxid: number;

  private readonly config: ReplicaConfig;
  private readonly ports: ReplicaPorts;
  private readonly preparer: Preparer;
  readonly reader: Reader;
  private readonly feeds: WatchFeeds;
  private readonly recent: RecentTxns;
  private readonly live = new Map<number, LiveSession>();
  private readonly clock: ExpiryClock;
  private readonly expiry = new ExpiryQueue<LiveSession>();
  private readonly freshness = new FreshnessWaits();
  private founding: Founding | undefined;
  private readonly opening = new Map<string, { secretHash: string; pending: PendingTxn }>();
  private readonly outcomeReads = new Map<number, { outcome: Outcome; request: number; waiter: Waiter }>();
  private outcomeTickets = 0;

  private readonly establishment: Establishment;
  private broadcast: Broadcast | undefined;
  private writes = 0;
  private readonly tail: readonly Txn[];
  private readonly quorum: Quorum;

  private readonly pipeline = new Queue<PendingTxn>();
  private readonly batch = new ByteWriter(64 * 1024);
  private batchFirst = 0;
  private nextZxid: number;
  private wallMs = 0;
  private lastTime: number;
  private lastTrim = 0;
  private diskLow = false;
  private isServing = false;
  private stopping: { readonly reason: Refusal; readonly stopped: () => void } | undefined;

  /** Takes over what recovery found and asks for the durable steps that bring a leader into office. */
  constructor(config: ReplicaConfig, ports: ReplicaPorts, recovered: Recovered) {
    this.config = config;
    this.ports = ports;
    this.tree = recovered.tree;
    this.sessions = recovered.sessions;
    this.founding = recovered.founding;
    this.appliedZxid = recovered.committed.zxid;
    this.nextZxid = recovered.last.zxid + 1;
    this.lastTime = recovered.lastTime;
    this.tail = recovered.tail;
    this.clock = new ExpiryClock(config.tickMs);
    this.recent = new RecentTxns({ zxid: this.appliedZxid, ops: wholeTxn + 1 });
    this.reader = new Reader(this.tree);
    this.feeds = new WatchFeeds(this.feedHost(), { tree: this.tree, recent: this.recent, history: ports.history });
    this.quorum = new Quorum((recovered.founding ?? config.founding).members.filter((m) => m.voter).map((m) => m.id));
    this.preparer = new Preparer(this.tree, { creatorOwned: config.creatorOwned });
    const { acceptedEpoch, currentEpoch, last, committed } = recovered;
    this.establishment = new Establishment(
      { self: config.serverId, quorum: this.quorum },
      { log: ports.log, state: { acceptedEpoch, currentEpoch, last, committed }, nextWrite: this.nextWrite },
    );
  }

  private readonly nextWrite = (): number => ++this.writes;

  private feedHost() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the getters below read the replica's current state
    const replica = this;
    return {
      get clusterId() {
        return replica.clusterId;
      },
      get appliedZxid() {
        return replica.appliedZxid;
      },
      get now() {
        return replica.clock.now;
      },
      mayRead: this.mayRead,
    };
  }

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

  get lastLoggedZxid(): number {
    return this.nextZxid - 1;
  }

  get watchCount(): number {
    return this.feeds.table.count;
  }

  get attachedCount(): number {
    let count = 0;
    for (const live of this.live.values()) if (live.stream !== undefined) count++;
    return count;
  }

  /** Digest of everything replicated, as of appliedZxid. */
  digest(): number {
    return (this.tree.digest + this.sessions.digest()) % 2 ** 53;
  }

  // ---- inputs from the world

  /** The wall clock, milliseconds since the Unix epoch: the time of the transactions that follow. */
  setTime(wallMs: number): void {
    this.wallMs = wallMs;
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
    this.clock.advance(monotonicMs);
    if (!this.isServing) return;
    if (this.stopping === undefined) {
      this.expireSessions();
      this.trim();
    }
    this.expireEarlyWrites();
    this.freshness.tick(this.clock.now, this.appliedZxid);
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
    const read = this.outcomeReads.get(ticket);
    if (read === undefined) {
      this.feeds.historyRead(ticket, result);
      return;
    }
    this.outcomeReads.delete(ticket);
    const txn = result.kind === "read" ? result.txns[0] : undefined;
    if (txn === undefined) answerPurged(read.waiter, read.outcome, read.request);
    else read.waiter.committed(txn);
  }

  /** A sink that was backlogged has been read. */
  drained(sink: WatchSink): void {
    this.feeds.drained(sink);
  }

  /** Proposes what this turn prepared. Called at the end of every turn that brought requests. */
  flush(): void {
    if (this.batch.length === 0) return;
    assert(this.broadcast !== undefined, "a batch was prepared before the leader was established");
    const bytes = this.batch.copy();
    this.batch.reset();
    this.broadcast.propose(bytes, this.batchFirst, this.nextZxid - 1);
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
    const { reason, stopped } = this.stopping;
    for (const live of this.live.values()) live.stream?.end(reason);
    stopped();
  }

  // ---- sessions

  openSession(opening: Opening, who: string, sink: ReplySink, call: number): void {
    const waiter = waiterOf(sink, call);
    const problem = this.unavailable() ?? (this.diskLow ? diskLow() : undefined);
    if (problem !== undefined) {
      waiter.refused(this.appliedZxid, problem);
      return;
    }
    const known = this.sessions.findByClientKey(opening.clientKey);
    const pending = this.opening.get(opening.clientKey);
    const secretHash = known?.terms.secretHash ?? pending?.secretHash;
    if (secretHash !== undefined && !sameSecret(secretHash, opening.secretHash)) {
      waiter.refused(this.appliedZxid, refusal("BAD_ARGUMENTS", "the client key is in use", { field: "client_key" }));
    } else if (known !== undefined) this.answerOpened(known, waiter);
    else if (pending !== undefined) pending.pending.join(waiter);
    else {
      const zxid = this.nextZxid;
      const op = { ...blankOp(OpKind.openSession, "", emptyStat()), detail: openingDetail(opening) };
      const made = this.propose({ session: zxid, who, request: RequestKind.openSession, ops: [op] }, waiter);
      this.opening.set(opening.clientKey, { secretHash: opening.secretHash, pending: made });
    }
  }

  /** A retry of an opening that was committed: the same answer again. */
  private answerOpened(session: Session, waiter: Waiter): void {
    const live = this.live.get(session.id);
    if (live === undefined || live.closing) {
      waiter.refused(this.appliedZxid, sessionExpired(session.id));
      return;
    }
    this.touch(live);
    const op = { ...blankOp(OpKind.openSession, "", emptyStat()), detail: openingDetail(session.terms) };
    const ops = [op];
    const { id, who } = session;
    waiter.committed({ ...blankTxn, zxid: id, session: id, who, request: RequestKind.openSession, ops });
  }

  /** The live session of a caller that proves it owns it; a refusal otherwise. Counts as contact. */
  authenticate(id: number, secretHash: string): LiveSession | Refusal {
    const problem = this.unavailable();
    if (problem !== undefined) return problem;
    const live = this.live.get(id);
    if (live === undefined || live.closing) return sessionExpired(id);
    if (!sameSecret(live.session.terms.secretHash, secretHash)) return sessionExpired(id);
    this.touch(live);
    return live;
  }

  /** Attaches a stream to a session. An older stream of it ends. `address` is the identity of the connection. */
  attach(live: LiveSession, address: Identity | undefined, sink: SessionSink): SessionStream {
    live.stream?.end(
      refusal("SESSION_MOVED", "a newer stream has taken the session over", { session_id: String(live.session.id) }),
    );
    const stream = new SessionStream(this, live, callerOf(live, address), sink);
    live.stream = stream;
    this.touch(live);
    const { lastSeq } = live.session;
    sink.attached({ timeoutMs: live.timeoutMs, lastSeq, remainingMs: this.remainingMs(live) });
    return stream;
  }

  touch(live: LiveSession): void {
    live.touchedAt = this.clock.now;
  }

  /** Time until a session touched just now expires. */
  remainingMs(live: LiveSession): number {
    return live.timeoutMs - (this.clock.now - live.touchedAt);
  }

  close(live: LiveSession, waiter: Waiter): void {
    const problem = this.unavailable() ?? (live.closing ? sessionExpired(live.session.id) : undefined);
    if (problem !== undefined) waiter.refused(this.appliedZxid, problem);
    else this.endSession(live, false, waiter);
  }

  private endSession(live: LiveSession, expired: boolean, waiter: Waiter | undefined): void {
    live.closing = true;
    const { id, who } = live.session;
    for (const write of live.early.values()) write.waiter.refused(this.appliedZxid, sessionExpired(id));
    live.early.clear();
    const stamp = { zxid: this.nextZxid, time: this.now() };
    const end = blankOp(OpKind.closeSession, "", emptyStat());
    end.cause = expired ? Cause.sessionExpired : Cause.sessionClosed;
    const ops = [end, ...this.preparer.endSession(id, expired, stamp)];
    const request = expired ? RequestKind.expireSession : RequestKind.closeSession;
    this.propose({ session: id, who, request, ops }, waiter);
  }

  private expireSessions(): void {
    let count = 0;
    for (const live of this.expiry.due(this.clock.now)) {
      if (live.closing || this.live.get(live.session.id) !== live) continue;
      // Those that are over the number of one tick are looked at again in the next bucket.
      if (++count > sessionsPerTick) this.expiry.add(live);
      else this.endSession(live, true, undefined);
    }
  }

  /** What became of a numbered write; also of a session that has ended, while it is remembered. */
  outcome(id: number, secretHash: string, seq: number): OutcomeReport | Refusal {
    const session = this.sessions.get(id) ?? this.sessions.tombstone(id);
    if (session === undefined || !sameSecret(session.terms.secretHash, secretHash)) return sessionExpired(id);
    const ended = session.end !== undefined;
    const outcome = session.outcome(seq);
    if (outcome !== undefined) {
      const { zxid, code } = outcome;
      return code === 0
        ? { state: "succeeded", zxid, ended }
        : { state: "failed", zxid, refusal: refusalOfCode(outcome), ended };
    }
    if (seq <= session.acked) return { state: "forgotten", ended };
    const live = this.live.get(id);
    const pending = live !== undefined && (live.inFlight.has(seq) || live.early.has(seq));
    return { state: pending ? "pending" : "notSeen", ended };
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
    const waiter = waiterOf(sink, call);
    if (live === undefined) {
      if (seq !== 0) {
        waiter.refused(this.appliedZxid, refusal("SESSION_REQUIRED", "a seq needs a session"));
        return;
      }
      this.submitUnnumbered(request, caller, undefined, waiter);
      return;
    }
    live.acknowledge(write.ackedSeq);
    this.submit({ request, seq, caller, live, waiter });
  }

  /** A write of a session, from its stream or not. */
  submit(write: { request: WriteRequest; seq: number; caller: Caller; live: LiveSession; waiter: Waiter }): void {
    const { request, seq, caller, live, waiter } = write;
    if (seq === 0) {
      this.submitUnnumbered(request, caller, live, waiter);
      return;
    }
    if (seq < 0) {
      waiter.refused(this.appliedZxid, refusal("BAD_ARGUMENTS", "a seq is positive", { field: "seq" }));
      return;
    }
    const numbered = {
      seq,
      request,
      fingerprint: fingerprint(request),
      identities: caller,
      waiter,
      since: this.clock.now,
    };
    if (seq === live.nextSeq) this.submitInTurn(live, numbered);
    else if (seq < live.nextSeq) this.repeat(live, numbered);
    else this.submitEarly(live, numbered);
  }

  private submitUnnumbered(request: WriteRequest, caller: Caller, live: LiveSession | undefined, waiter: Waiter): void {
    const problem = this.notNow(request, live) ?? requestProblem(request, caller.identities);
    if (problem !== undefined) {
      waiter.refused(this.appliedZxid, problem);
      return;
    }
    this.execute(request, caller, waiter, undefined);
  }

  /** The next write in turn: runs, unless it cannot run now; then those that waited for it. */
  private submitInTurn(live: LiveSession, first: NumberedWrite): void {
    let write: NumberedWrite | undefined = first;
    while (write !== undefined) {
      const problem =
        this.notNow(write.request, live) ??
        (live.unacknowledged >= limits.unacknowledgedOutcomes ? live.refuseUnacknowledged() : undefined);
      if (problem !== undefined) {
        write.waiter.refused(this.appliedZxid, problem);
        return;
      }
      live.early.delete(write.seq);
      live.nextSeq++;
      const { request, identities: caller, waiter, seq, fingerprint } = write;
      const refused = requestProblem(request, caller.identities);
      const numbered = { live, seq, fingerprint };
      // What can never succeed takes its seq with it: a retry must not run later, out of order.
      const pending =
        refused === undefined
          ? this.execute(request, caller, waiter, numbered)
          : this.reject(refused, request, caller, waiter, numbered);
      live.inFlight.set(seq, pending);
      write = live.early.get(live.nextSeq);
    }
  }

  private submitEarly(live: LiveSession, write: NumberedWrite): void {
    const known = live.early.get(write.seq);
    if (write.seq - live.nextSeq > limits.unacknowledgedOutcomes) {
      write.waiter.refused(this.appliedZxid, live.refuseGap(write.seq));
    } else if (known !== undefined) {
      // The retry of a write that still waits: the newer one waits in its place.
      const reused = known.fingerprint !== write.fingerprint;
      (reused ? write : known).waiter.refused(this.appliedZxid, live.refuseReused(write.seq));
      if (!reused) live.early.set(write.seq, write);
    } else live.early.set(write.seq, write);
  }

  /** A seq that was used: its outcome again, now or when it is known. */
  private repeat(live: LiveSession, write: NumberedWrite): void {
    const { seq, waiter } = write;
    const pending = live.inFlight.get(seq);
    if (pending !== undefined) {
      if (pending.txn.fingerprint === write.fingerprint) pending.join(waiter);
      else waiter.refused(this.appliedZxid, live.refuseReused(seq));
      return;
    }
    const outcome = live.session.outcome(seq);
    if (outcome === undefined) waiter.refused(this.appliedZxid, live.refuseTooOld(seq));
    else if (outcome.fingerprint !== write.fingerprint) waiter.refused(this.appliedZxid, live.refuseReused(seq));
    else this.answerFromLog(outcome, requestKindOf(write.request), waiter);
  }

  private answerFromLog(outcome: Outcome, request: number, waiter: Waiter): void {
    const recent = this.recent.get(outcome.zxid);
    if (recent !== undefined) {
      waiter.committed(recent);
      return;
    }
    const ticket = -++this.outcomeTickets;
    this.outcomeReads.set(ticket, { outcome, request, waiter });
    this.ports.history.readAfter(ticket, outcome.zxid - 1, outcome.zxid, outcomeReadBytes);
  }

  private expireEarlyWrites(): void {
    for (const live of this.live.values()) {
      if (live.early.size === 0) continue;
      for (const [seq, write] of live.early) {
        if (this.clock.now - write.since < limits.waitMs) continue;
        live.early.delete(seq);
        write.waiter.refused(this.appliedZxid, live.refuseGap(seq));
      }
    }
  }

  /** Why nothing can be done now. */
  unavailable(): Refusal | undefined {
    if (this.stopping !== undefined) return this.stopping.reason;
    return this.isServing ? undefined : refusal("NO_LEADER", "no leader is established yet");
  }

  /** Why this write cannot run now; it consumes nothing. */
  private notNow(request: WriteRequest, live: LiveSession | undefined): Refusal | undefined {
    const problem = this.unavailable();
    if (problem !== undefined) return problem;
    if (live?.closing === true) return sessionExpired(live.session.id);
    if (this.pipeline.length >= pipelineMax) {
      return refusal("OVERLOADED", "too many writes are in progress", { limit: String(pipelineMax) });
    }
    return this.diskLow && grows(request) ? diskLow() : undefined;
  }

  private execute(request: WriteRequest, caller: Caller, waiter: Waiter, numbered: Numbered | undefined): PendingTxn {
    const stamp = { zxid: this.nextZxid, time: this.now() };
    const prepared: Prepared = this.preparer.prepare(request, caller, stamp);
    if (isRefusal(prepared)) return this.reject(prepared, request, caller, waiter, numbered);
    const { session, who } = caller;
    return this.propose({ session, who, request: requestKindOf(request), ops: prepared, numbered }, waiter);
  }

  /** A refusal that depends on state, or that has a seq, is a transaction: it is answered when it is committed. */
  private reject(
    refused: Refusal,
    request: WriteRequest,
    caller: Caller,
    waiter: Waiter,
    numbered: Numbered | undefined,
  ): PendingTxn {
    const path = request.kind === "multi" ? "" : request.path.slice(0, limits.path);
    const op = { ...blankOp(OpKind.rejected, path, emptyStat()), ...rejection(refused) };
    const { session, who } = caller;
    return this.propose({ session, who, request: requestKindOf(request), ops: [op], numbered }, waiter);
  }

  private now(): number {
    return Math.max(this.wallMs, this.lastTime);
  }

  private propose(made: Made, waiter: Waiter | undefined): PendingTxn {
    const { numbered } = made;
    const zxid = this.nextZxid++;
    this.lastTime = this.now();
    const txn: Txn = {
      zxid,
      epoch: this.establishment.epoch,
      time: this.lastTime,
      session: made.session,
      seq: numbered?.seq ?? 0,
      acked: numbered === undefined ? 0 : Math.min(numbered.live.ackedSeen, numbered.seq - 1),
      fingerprint: numbered?.fingerprint ?? 0,
      who: made.who,
      request: made.request,
      ops: made.ops,
    };
    if (this.batch.length === 0) this.batchFirst = zxid;
    encodeTxn(txn, this.batch);
    const pending = new PendingTxn(txn, waiter);
    this.pipeline.push(pending);
    if (this.batch.length >= batchBytes) this.flush();
    return pending;
  }

  /** Folds in the acknowledgements of sessions that do not write. */
  private trim(): void {
    if (this.clock.now - this.lastTrim < trimMs) return;
    this.lastTrim = this.clock.now;
    const acked = new Map<number, number>();
    for (const live of this.live.values()) {
      if (live.closing || live.inFlight.size > 0 || live.ackedSeen <= live.session.acked) continue;
      acked.set(live.session.id, live.ackedSeen);
      if (acked.size === sessionsPerTick) break;
    }
    if (acked.size === 0) return;
    const op = { ...blankOp(OpKind.trim, "", emptyStat()), detail: trimDetail(acked) };
    this.propose({ session: 0, who: "", request: RequestKind.trim, ops: [op] }, undefined);
  }

  // ---- commit and apply

  /** The leader is in office: the history it found is committed as a whole, then it serves. */
  private established(): void {
    for (const txn of this.tail) this.apply(txn);
    this.broadcast = new Broadcast(
      { self: this.config.serverId, quorum: this.quorum },
      { log: this.ports.log, nextWrite: this.nextWrite },
      { epoch: this.establishment.epoch, historyZxid: this.nextZxid - 1 },
    );
    assert(this.appliedZxid === this.nextZxid - 1, "the history was not applied as a whole");
    for (const session of this.sessions.sessions()) this.addLive(session);
    if (this.founding !== undefined) this.startServing();
    else {
      const op = { ...blankOp(OpKind.found, "", emptyStat()), detail: foundingDetail(this.config.founding) };
      this.propose({ session: 0, who: "", request: RequestKind.found, ops: [op] }, undefined);
      this.flush();
    }
  }

  private startServing(): void {
    this.isServing = true;
    this.ports.serving();
  }

  private addLive(session: Session): LiveSession {
    const live = new LiveSession(session, this.clock.now);
    this.live.set(session.id, live);
    this.expiry.add(live);
    return live;
  }

  private commit(): void {
    if (this.broadcast === undefined) return;
    const { zxid } = this.broadcast.committed;
    if (zxid === this.appliedZxid) return;
    for (;;) {
      const pending = this.pipeline.peek();
      if (pending === undefined || pending.txn.zxid > zxid) break;
      this.pipeline.shift();
      this.apply(pending.txn);
      this.settled(pending);
    }
    assert(this.appliedZxid === zxid, "a committed transaction is missing in the pipeline");
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
    this.feeds.applied(txn, forgetOneShot);
  }

  /** What the leader does once a transaction of its own is applied. */
  private settled(pending: PendingTxn): void {
    const { txn } = pending;
    const first = txn.ops[0]!;
    if (txn.seq !== 0) this.live.get(txn.session)?.inFlight.delete(txn.seq);
    if (first.kind === OpKind.openSession) {
      const session = this.sessions.get(txn.zxid)!;
      this.opening.delete(session.terms.clientKey);
      this.addLive(session);
    }
    pending.committed();
    if (first.kind === OpKind.closeSession) {
      const live = this.live.get(txn.session);
      this.live.delete(txn.session);
      live?.stream?.end(sessionExpired(txn.session));
    } else if (first.kind === OpKind.found) this.startServing();
  }

  // ---- reads

  isFresh(freshness: Freshness): boolean {
    // A quorum of one is confirmed by asking it; see Broadcast.confirmLeadership.
    return this.serving && freshness.minZxid <= this.appliedZxid && !(freshness.linearizable && !this.isServing);
  }

  whenFresh(freshness: Freshness, resume: (problem: Refusal | undefined) => void): void {
    const problem = this.unavailable();
    if (problem !== undefined) resume(problem);
    else if (freshness.linearizable) {
      this.broadcast!.confirmLeadership(() => {
        const minZxid = Math.max(freshness.minZxid, this.appliedZxid);
        if (minZxid <= this.appliedZxid) resume(undefined);
        else this.freshness.add(minZxid, this.clock.now, resume);
      });
    } else if (freshness.minZxid <= this.appliedZxid) resume(undefined);
    else this.freshness.add(freshness.minZxid, this.clock.now, resume);
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

  addOneShot(shot: { stream: SessionStream; id: number; kind: "oneShotData" | "oneShotChild"; path: string }): Watch {
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
      lastToldMs: this.clock.now,
    };
    oneShotStreams.set(watch, stream);
    this.feeds.table.add(watch);
    return watch;
  }

  removeWatch(watch: Watch): void {
    this.feeds.remove(watch);
  }

  private readonly mayRead: MayRead = (identities, rowAcl, path) => {
    const { acls } = this.tree;
    if (!acls.allows(rowAcl, Permissions.read, identities)) return false;
    const slot = this.tree.find(path);
    if (slot < 0) return true;
    const acl = this.tree.acl(slot);
    return acl === rowAcl || acls.allows(acl, Permissions.read, identities);
  };
}

/** Which stream a one-shot watch belongs to, so that a consumed one leaves its table of ids. */
const oneShotStreams = new WeakMap<Watch, SessionStream>();

function forgetOneShot(watch: Watch): void {
  oneShotStreams.get(watch)?.watches.delete(watch.id);
}

interface Numbered {
  readonly live: LiveSession;
  readonly seq: number;
  readonly fingerprint: number;
}

interface Made {
  readonly session: number;
  readonly who: string;
  readonly request: number;
  readonly ops: TxnOp[];
  readonly numbered?: Numbered | undefined;
}

const blankTxn = { epoch: 0, time: 0, seq: 0, acked: 0, fingerprint: 0 };

/** A caller with a session: its identities, and that of its connection. */
export function callerOf(live: LiveSession, address: Identity | undefined): Caller {
  const { session } = live;
  const identities = address === undefined ? session.terms.identities : [...session.terms.identities, address];
  return { session: session.id, identities, who: formatIdentities(identities) };
}

function grows(request: WriteRequest): boolean {
  if (request.kind === "multi") return request.operations.some((operation) => growing.has(operation.kind));
  return growing.has(request.kind);
}

const growing: ReadonlySet<string> = new Set(["create", "setData", "setAcl"]);

function diskLow(): Refusal {
  return refusal("DISK_LOW", "free disk space is below the reserve: nothing that grows is accepted");
}

function refusalOfCode(outcome: Outcome): Refusal {
  const reason = reasonOfNumber(outcome.code);
  assert(reason !== undefined, "an outcome has an unknown code");
  return refusal(reason, reasonTable[reason].meaning, { operation: String(outcome.failedOp) });
}

function answerPurged(waiter: Waiter, outcome: Outcome, request: number): void {
  if (outcome.code === 0) waiter.committedBefore(outcome.zxid, request);
  else waiter.refused(outcome.zxid, refusalOfCode(outcome));
}

/** Compares two hexadecimal hashes in a time that does not depend on where they differ. */
function sameSecret(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < Math.min(a.length, b.length); i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
