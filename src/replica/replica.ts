/**
 * One server's replica: joins consensus, tree, sessions and watches. Deterministic and without I/O, clock or chance:
 * an input is a method call, an effect is a call on a port, and ports only enqueue.
 *
 * A write goes: submit → on a follower to the leader (forwarder.ts, learner-desk.ts) → its turn by seq → prepare against
 * everything in the pipeline → zxid → the batch of this turn → proposed by the peer → committed by a quorum → delivered
 * on every server: apply → watch events → whoever waits for it is answered.
 *
 * Invariants: the tree holds what is committed and nothing else; answers reflect applied state only; what belongs to
 * leading (leadership.ts) exists only between `leading` and `looking`.
 */
import { assert } from "../base/assert.ts";
import { ByteReader } from "../base/bytes.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { applyToSessions } from "../sessions/apply.ts";
import type { Outcome, SessionTable } from "../sessions/session-table.ts";
import { Permissions, type Identity } from "../tree/acl.ts";
import { parseFounding, type Founding } from "../tree/detail.ts";
import type { Caller } from "../tree/prepare.ts";
import { fingerprint, type WriteRequest } from "../tree/request.ts";
import type { Tree } from "../tree/tree.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { WatchSink } from "../watches/watch-event.ts";
import type { MayRead, Watch } from "../watches/watch-table.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import type { PeerState } from "../zab/message.ts";
import { Peer } from "../zab/peer.ts";
import type { PeerConfig, PeerHost, PeerPorts } from "../zab/ports.ts";
import type { LeaderAnswer } from "./answer-codec.ts";
import { Attachments, type Attachment, type AttachmentHost } from "./attachments.ts";
import { Contact, type ContactRound, type Proof } from "./contact.ts";
import { NotedDigests } from "./digests.ts";
import { ExpiryClock } from "./expiry.ts";
import { ForwardedClosing, ForwardedOpening, ForwardedWrite, writeProblem, type LocalWrite } from "./forwarded.ts";
import { Forwarder, type ForwarderHost } from "./forwarder.ts";
import { FreshnessWaits } from "./freshness.ts";
import { Leadership, type LeadershipHost } from "./leadership.ts";
import { sessionExpired, type LiveSession } from "./live-session.ts";
import type { LocalSession } from "./local-session.ts";
import { PastOutcomes } from "./past-outcomes.ts";
import type { HistoryPort, HistoryResult, Recovered, ReplySink, SessionSink } from "./ports.ts";
import { ReadIndex, type ReadIndexHost } from "./read-index.ts";
import { readProblem, type Freshness, type ReadRequest } from "./read-request.ts";
import { Reader } from "./reader.ts";
import { RecentTxns } from "./recent-txns.ts";
import { sameSecret, type Opening, type OutcomeReport } from "./session-keeper.ts";
import type { OneShot, SessionStream } from "./session-stream.ts";
import { decodeTxn } from "./txn-codec.ts";
import { CallWaiter, noLeader, waiterOf, type Waiter } from "./waiter.ts";
import { WatchFeeds, wholeTxn, type FeedHost, type WatchRegistration } from "./watch-feeds.ts";

export interface ReplicaConfig {
  readonly peer: PeerConfig;
  /** The newest format of transactions that every founder reads. */
  readonly featureLevel: number;
  /** New znodes without an ACL belong to whoever creates them. */
  readonly creatorOwned: boolean;
  /** How long streams and reads outlive the loss of the leader, milliseconds. */
  readonly leaderlessMs?: number;
  /** Digests are compared at the multiples of this zxid. */
  readonly digestEvery?: number;
  /** Tests have smaller ones, to meet their edges. */
  readonly sizes?: { readonly recentTxns?: number; readonly walkPiece?: number };
}

export interface Divergence {
  readonly zxid: number;
  readonly own: number;
  /** What most voters have; undefined when no majority agrees. */
  readonly agreed: number | undefined;
}

export interface ReplicaPorts extends PeerPorts {
  readonly history: HistoryPort;
  /** The role, the leader, or whether this server serves has changed. */
  stateChanged(): void;
  /** This server's state is not that of the others: its process must end. */
  diverged(problem: Divergence): void;
}

const usualLeaderlessMs = 1500;
const usualDigestEvery = 1024;

export class Replica implements PeerHost, AttachmentHost, FeedHost, ForwarderHost, LeadershipHost, ReadIndexHost {
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly reader: Reader;
  readonly peer: Peer;
  readonly clock: ExpiryClock;
  appliedZxid: number;

  private readonly config: ReplicaConfig;
  private readonly ports: ReplicaPorts;
  private readonly recent: RecentTxns;
  private readonly feeds: WatchFeeds;
  private readonly past: PastOutcomes;
  private readonly attachments: Attachments;
  private readonly contact = new Contact();
  private readonly forwarder: Forwarder;
  private readonly readIndex: ReadIndex;
  private readonly freshness = new FreshnessWaits();
  private readonly digests = new NotedDigests();
  private readonly oneShots = new WeakMap<Watch, SessionStream>();
  private readonly leaderlessMs: number;
  private readonly digestEvery: number;
  /** Whether this server is a quorum by itself. */
  private isAlone: boolean;

  /** Exists while this server leads. */
  private leadership: Leadership | undefined;
  private founding: Founding | undefined;
  private lastTime: number;
  private wallMs = 0;
  private monotonicMs = 0;
  /** Whether it leads, or is up to date with who does, in an ensemble that is founded. */
  private isInOffice = false;
  /** When the leader was lost, as long as streams and reads outlive that. */
  private leaderlessSince: number | undefined;
  private stopping: { readonly reason: Refusal; readonly stopped: () => void } | undefined;
  private hasStopped = false;
  /** Why nothing can be done any more. */
  private over: Refusal | undefined;

  /** Takes over what recovery found. The first tick starts everything. */
  constructor(config: ReplicaConfig, ports: ReplicaPorts, recovered: Recovered) {
    const { durable, tree, sessions, founding } = recovered;
    const { sizes } = config;
    this.config = config;
    this.ports = ports;
    this.tree = tree;
    this.sessions = sessions;
    this.founding = founding;
    this.lastTime = recovered.lastTime;
    this.appliedZxid = durable.committed.zxid;
    this.leaderlessMs = config.leaderlessMs ?? usualLeaderlessMs;
    this.digestEvery = config.digestEvery ?? usualDigestEvery;
    this.clock = new ExpiryClock(config.peer.tickMs);
    this.reader = new Reader(tree);
    this.recent = new RecentTxns({ zxid: this.appliedZxid, ops: wholeTxn + 1 }, sizes?.recentTxns);
    this.feeds = new WatchFeeds(this, { tree, recent: this.recent, history: ports.history }, sizes?.walkPiece);
    this.past = new PastOutcomes(this.recent, ports.history);
    this.attachments = new Attachments(this);
    this.forwarder = new Forwarder(this, { sessions, past: this.past });
    this.readIndex = new ReadIndex(this);
    this.peer = new Peer(config.peer, ports, this, durable);
    if (founding !== undefined) this.peer.setMembers(founding.members);
    this.isAlone = this.peer.isAlone;
  }

  // ---- what others may know

  get clusterId(): string {
    return this.founding?.clusterId ?? this.peer.clusterId;
  }

  get epoch(): number {
    return this.peer.epoch;
  }

  get role(): PeerState {
    return this.peer.role;
  }

  get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  /** Whether clients may call. */
  get serving(): boolean {
    return this.unavailable() === undefined;
  }

  /** Whether reads go on: also for a while after the leader was lost. */
  get readable(): boolean {
    return this.unreadable() === undefined;
  }

  /** Time by the expiry clock, milliseconds. */
  get now(): number {
    return this.clock.now;
  }

  /** The commit point known here, with the epoch of its own row. */
  get committed(): LogPosition {
    return this.peer.committed;
  }

  get lastLoggedZxid(): number {
    return this.peer.last.zxid;
  }

  get watchCount(): number {
    return this.feeds.count;
  }

  get attachedCount(): number {
    return this.attachments.count;
  }

  /** Digest of everything replicated, as of appliedZxid. */
  digest(): number {
    return (this.tree.digest + this.sessions.digest()) % 2 ** 53;
  }

  /** Why nothing new can be done now; undefined while the replica serves. */
  unavailable(): Refusal | undefined {
    const ended = this.over ?? this.stopping?.reason;
    if (ended !== undefined) return ended;
    return this.isInOffice ? undefined : noLeader();
  }

  private unreadable(): Refusal | undefined {
    const ended = this.over ?? this.stopping?.reason;
    if (ended !== undefined) return ended;
    return this.isInOffice || this.leaderlessSince !== undefined ? undefined : noLeader();
  }

  // ---- inputs from the world; those of peers go to `peer`

  /** The wall clock, milliseconds since the Unix epoch: the time of the transactions that follow. */
  setTime(wallMs: number): void {
    this.wallMs = wallMs;
    if (this.leadership !== undefined) this.leadership.pipeline.wallMs = wallMs;
  }

  /** Every durable step up to this one is on stable storage. */
  persisted(write: number): void {
    this.peer.persisted(write);
  }

  /** Time has passed. `monotonicMs` never goes back. */
  tick(monotonicMs: number): void {
    this.monotonicMs = monotonicMs;
    this.clock.advance(monotonicMs);
    this.peer.tick(monotonicMs);
    this.leadership?.tick();
    this.askForProofs();
    this.freshness.tick(this.now, this.appliedZxid);
    this.feeds.tick();
    if (this.leaderlessSince !== undefined && monotonicMs - this.leaderlessSince >= this.leaderlessMs) {
      this.endLeaderless(noLeader());
    }
    this.flush();
    this.peer.storeCommitPoint();
  }

  /** Free space is below the reserve, or above it again. */
  setDiskLow(low: boolean): void {
    this.peer.diskLow = low;
    this.leadership?.diskChanged();
  }

  /** The answer to a read of the history. */
  historyRead(ticket: number, result: HistoryResult): void {
    if (!this.past.historyRead(ticket, result)) this.feeds.historyRead(ticket, result);
  }

  /** A sink that was backlogged has been read. */
  drained(sink: WatchSink): void {
    this.feeds.drained(sink);
  }

  /** The end of a turn that brought anything: what was gathered is asked, answered and proposed. */
  flush(): void {
    this.readIndex.flush();
    this.leadership?.flush();
    this.forwarder.flush();
    this.stopWhenDrained();
  }

  /**
   * Refuses what follows, and ends every stream once the writes under way are answered; a leader then leaves the office
   * to others. Calls back then.
   */
  stop(reason: Refusal, stopped: () => void): void {
    this.flush();
    this.stopping = { reason, stopped };
    this.stopWhenDrained();
  }

  private stopWhenDrained(): void {
    if (this.stopping === undefined || this.hasStopped) return;
    const { leadership } = this;
    const isBusy = leadership === undefined ? this.forwarder.count > 0 : leadership.pipeline.length > 0;
    if (this.isInOffice && isBusy) return;
    this.hasStopped = true;
    this.refuseWaiting(this.stopping.reason);
    this.attachments.endAll(this.stopping.reason);
    if (leadership !== undefined && !this.isAlone) this.peer.resign();
    this.stopping.stopped();
  }

  /** Another replica takes over from the files: everything that waits here ends. Nothing is fed to this one any more. */
  retire(reason: Refusal): void {
    this.over = reason;
    this.isInOffice = false;
    this.endOffice();
    this.endLeaderless(reason);
    this.freshness.refuseAll(reason);
    this.past.endReads();
  }

  // ---- inputs from the peer

  deliver(bytes: Uint8Array, _firstZxid: number, lastZxid: number): void {
    if (this.leadership !== undefined) this.leadership.committed(lastZxid, this.apply, this.answered);
    else {
      // What is decoded refers to the bytes, which are lent.
      const reader = new ByteReader(bytes.slice());
      while (!reader.done) {
        const txn = decodeTxn(reader);
        this.apply(txn);
        this.forwarder.applied(txn);
        this.answered(txn);
      }
    }
    assert(this.appliedZxid === lastZxid, "a transaction is missing in what was delivered");
    this.freshness.applied(lastZxid);
    this.takeOffice();
  }

  leading(epoch: number): void {
    const { creatorOwned, featureLevel, peer } = this.config;
    this.leadership = new Leadership(this, { epoch, lastTime: this.lastTime, creatorOwned });
    this.leadership.pipeline.wallMs = this.wallMs;
    if (this.founding === undefined) {
      this.leadership.found({ clusterId: this.peer.clusterId, members: peer.members, featureLevel });
    }
    this.takeOffice();
  }

  following(): void {
    this.takeOffice();
  }

  /** There is a leader, and the ensemble is founded: what waited for that goes on. */
  private takeOffice(): void {
    if (this.isInOffice || this.founding === undefined || !this.peer.serving) return;
    this.isInOffice = true;
    this.leaderlessSince = undefined;
    // Streams are announced before the writes that came on them.
    if (this.leadership === undefined) this.forwarder.connect();
    this.attachments.announce();
    if (this.leadership === undefined) this.forwarder.sendHeld();
    else for (const held of this.forwarder.takeHeld()) held.redo(this);
    this.ports.stateChanged();
  }

  looking(): void {
    if (this.isInOffice) this.leaderlessSince = this.monotonicMs;
    this.isInOffice = false;
    this.endOffice();
    this.ports.stateChanged();
  }

  private endOffice(): void {
    const { leadership } = this;
    this.leadership = undefined;
    leadership?.end();
    this.forwarder.lost();
  }

  /** There was no leader for too long: nobody can tell how old the state here is. */
  private endLeaderless(reason: Refusal): void {
    this.leaderlessSince = undefined;
    this.attachments.endAll(reason);
    this.feeds.endAll(reason);
    this.refuseWaiting(reason);
  }

  /** Whatever waits for a leader. */
  private refuseWaiting(reason: Refusal): void {
    this.forwarder.refuseHeld(reason);
    this.readIndex.refuseAll(reason);
    this.contact.refuseAll(reason);
  }

  received(from: number, payload: Uint8Array): void {
    if (this.leadership !== undefined) this.leadership.received(from, payload);
    else this.forwarder.received(payload);
  }

  learnerJoined(member: number): void {
    this.leadership?.learnerJoined(member);
  }

  learnerLeft(member: number): void {
    this.leadership?.learnerLeft(member);
  }

  /** Sends a batch to the leader. */
  request(payload: Uint8Array): void {
    this.peer.request(payload);
  }

  /** The leader says something that this server did not ask. */
  told(answer: LeaderAnswer & { kind: "moved" | "verdict" }): void {
    if (answer.kind === "verdict") this.verdict(answer.zxid, answer.digest);
    else this.attachments.get(answer.stream)?.moved();
  }

  // ---- apply

  private readonly apply = (txn: Txn): void => {
    const { zxid, ops } = txn;
    assert(zxid === this.appliedZxid + 1, "transactions are applied in order");
    for (let index = 0; index < ops.length; index++) this.tree.apply(zxid, ops[index]!);
    applyToSessions(this.sessions, txn);
    this.appliedZxid = zxid;
    this.lastTime = txn.time;
    this.recent.push(txn);
    const first = ops[0]!;
    if (first.kind === OpKind.found) {
      this.founding = parseFounding(first.detail);
      this.peer.setMembers(this.founding.members);
      this.isAlone = this.peer.isAlone;
    }
    if (zxid % this.digestEvery === 0) this.compareDigest(zxid);
    this.feeds.applied(txn, this.forgetOneShot);
  };

  /** Whoever waited for a transaction was answered. */
  private readonly answered = (txn: Txn): void => {
    if (txn.ops[0]!.kind === OpKind.closeSession) this.attachments.sessionEnded(txn.session);
  };

  private compareDigest(zxid: number): void {
    if (this.isAlone) return;
    const digest = this.digest();
    this.digests.note(zxid, digest);
    if (this.leadership !== undefined) this.leadership.digestReported(this.peer.self, zxid, digest);
    else this.forwarder.tell({ kind: "digest", zxid, digest });
  }

  /** What most voters have as their digest; undefined when no majority agrees: then nobody knows whose is right. */
  verdict(zxid: number, digest: number | undefined): void {
    const own = this.digests.get(zxid);
    if (own === undefined || own === digest || this.over !== undefined) return;
    this.over = refusal("INTERNAL", `the state as of transaction ${zxid} is not that of the other servers`);
    this.ports.diverged({ zxid, own, agreed: digest });
  }

  // ---- sessions

  /** Opens a session, or finds the one that an earlier try of the same client key opened. */
  openSession(opening: Opening, who: string, sink: ReplySink, call: number): void {
    const problem = this.unavailable();
    if (problem !== undefined) sink.refused(call, this.appliedZxid, problem);
    else this.startSession(opening, who, new OpeningWaiter(sink, call, () => this.reopen(opening, who, sink, call)));
  }

  startSession(opening: Opening, who: string, waiter: Waiter): void {
    const { leadership } = this;
    const overloaded = leadership === undefined ? this.forwarder.overloaded() : undefined;
    if (overloaded !== undefined) waiter.refused(this.appliedZxid, overloaded);
    else if (leadership !== undefined) leadership.open(opening, who, waiter);
    else this.forwarder.submit(new ForwardedOpening(opening, who, waiter));
  }

  /** The office was lost while a session was opened: the client key makes it safe to open it again. */
  private reopen(opening: Opening, who: string, sink: ReplySink, call: number): void {
    const forwarded = new ForwardedOpening(opening, who, waiterOf(sink, call));
    forwarded.wasSent = true;
    this.forwarder.submit(forwarded);
  }

  /**
   * Calls back with the session of a caller that proves it owns it; counts as contact. A server that has not applied the
   * opening finds out first how far the ensemble is.
   */
  authenticate(id: number, secretHash: string, done: (result: LocalSession | Refusal) => void): void {
    const problem = this.unavailable();
    if (problem !== undefined) done(problem);
    else if (id <= this.appliedZxid) done(this.identify(id, secretHash));
    else {
      this.awaitFresh({ linearizable: true, minZxid: 0 }, (refused) => {
        done(refused ?? this.identify(id, secretHash));
      });
    }
  }

  private identify(id: number, secretHash: string): LocalSession | Refusal {
    const session = this.sessions.get(id);
    if (session === undefined || !sameSecret(session.terms.secretHash, secretHash)) return sessionExpired(id);
    if (this.leadership?.keeper.get(id)?.closing === true) return sessionExpired(id);
    const local = this.attachments.local(session);
    this.touch(local);
    return local;
  }

  /**
   * Attaches a stream to a session, which an older one loses, whatever server that is on. Calls back when the leader has
   * said so; the sink was told just before. `address` is the identity of the connection.
   */
  attach(
    asked: {
      sessionId: number;
      secretHash: string;
      minZxid: number;
      address: Identity | undefined;
      sink: SessionSink;
    },
    done: (result: SessionStream | Refusal) => void,
  ): void {
    const { sessionId, secretHash, minZxid, address, sink } = asked;
    this.authenticate(sessionId, secretHash, (first) => {
      if ("reason" in first) {
        done(first);
        return;
      }
      this.awaitFresh({ linearizable: false, minZxid }, (problem) => {
        // It may have ended in the meantime.
        const local = problem ?? this.identify(sessionId, secretHash);
        if ("reason" in local) done(local);
        else this.attachments.attach({ local, address, sink }, done);
      });
    });
  }

  askForSession(attachment: Attachment): void {
    const { local, number, identities, stream } = attachment;
    const session = local.session.id;
    if (!this.isInOffice) return;
    if (this.leadership !== undefined) {
      this.giveSession(this.leadership, attachment);
      return;
    }
    this.forwarder.ask({
      asked: { kind: "attach", stream: stream.number, session, identities, number },
      answered: (answer) => {
        if (answer.kind === "refused") attachment.end(answer.refusal);
        else if (answer.kind !== "attached") return false;
        else {
          attachment.number = answer.number;
          this.whenApplied(answer.zxid, (problem) => {
            if (problem === undefined) attachment.complete();
            else if (attachment.isWaiting) attachment.end(problem);
          });
        }
        return true;
      },
      // The next leader is told of every stream.
      lost: () => undefined,
    });
  }

  private giveSession(leadership: Leadership, attachment: Attachment): void {
    const { id } = attachment.local.session;
    const live = leadership.keeper.get(id);
    const number =
      live === undefined ? sessionExpired(id) : leadership.keeper.attach(live, attachment, attachment.number);
    if ("reason" in number) {
      attachment.end(number);
      return;
    }
    attachment.number = number;
    if (!attachment.isWaiting) return;
    leadership.confirmed(() => {
      attachment.complete();
    });
  }

  detached(stream: SessionStream): void {
    const attachment = this.attachments.detached(stream);
    if (attachment === undefined) return;
    const { leadership } = this;
    if (leadership === undefined) this.forwarder.tell({ kind: "detach", stream: stream.number });
    else {
      const live = leadership.keeper.get(stream.live.session.id);
      if (live !== undefined) leadership.keeper.detach(live, attachment);
    }
  }

  private liveOf(local: LocalSession): LiveSession | undefined {
    return this.leadership?.keeper.get(local.session.id);
  }

  /** A client was heard of. */
  touch(local: LocalSession): void {
    const { leadership } = this;
    if (leadership === undefined) this.contact.touch(local);
    else {
      const live = leadership.keeper.get(local.session.id);
      if (live !== undefined) leadership.keeper.touch(live);
    }
  }

  acknowledge(local: LocalSession, seq: number): void {
    local.acknowledge(seq);
    this.liveOf(local)?.acknowledge(seq);
  }

  nextSeq(local: LocalSession): number {
    return this.liveOf(local)?.nextSeq ?? local.session.lastSeq + 1;
  }

  /** Calls back with the time a session lives that is not heard of again, as proved by the leader. */
  keepAlive(local: LocalSession, done: Proof): void {
    const problem = this.unavailable();
    if (problem !== undefined) {
      done(problem);
      return;
    }
    this.touch(local);
    this.prove(local, (remaining) => {
      done(remaining === 0 ? sessionExpired(local.session.id) : remaining);
    });
  }

  proveContact(local: LocalSession, done: (remainingMs: number) => void): void {
    this.prove(local, (remaining) => {
      if (typeof remaining === "number") done(remaining);
    });
  }

  private prove(local: LocalSession, done: Proof): void {
    if (this.leadership !== undefined && this.isAlone) done(this.provenMs(local));
    else this.contact.prove(local, done);
  }

  provenMs(local: LocalSession): number {
    const { leadership } = this;
    if (leadership === undefined) return local.timeoutMs;
    const live = leadership.keeper.get(local.session.id);
    return live === undefined ? 0 : leadership.keeper.remainingMs(live);
  }

  /** Once a tick: whom this server has heard of, for the leader, and what it proves. */
  private askForProofs(): void {
    if (!this.isInOffice) return;
    const round = this.contact.takeRound();
    if (round === undefined) return;
    if (this.leadership === undefined) this.askLeaderForProofs(round);
    else {
      // Those that were heard of while there was no leader.
      for (const local of round.touched) this.touch(local);
      if (round.proofs.length === 0) return;
      this.peer.confirmLeadership((zxid) => {
        if (zxid === undefined) this.contact.lost(round);
        else for (const { local, done } of round.proofs) done(this.provenMs(local));
      });
    }
  }

  private askLeaderForProofs(round: ContactRound): void {
    const sessions = round.touched.map(({ session, acked }) => ({ session: session.id, acked }));
    const asked = { kind: "touch" as const, proof: round.proofs.length > 0, sessions };
    if (!asked.proof) {
      this.forwarder.tell(asked);
      return;
    }
    this.forwarder.ask({
      asked,
      answered: (answer) => {
        if (answer.kind !== "touched") return false;
        const ended = new Set(answer.ended);
        for (const { local, done } of round.proofs) done(ended.has(local.session.id) ? 0 : local.timeoutMs);
        return true;
      },
      lost: () => {
        this.contact.lost(round);
      },
    });
  }

  close(local: LocalSession, waiter: Waiter): void {
    const problem = this.unavailable();
    if (problem !== undefined) waiter.refused(this.appliedZxid, problem);
    else this.endSession(local, waiter);
  }

  endSession(local: LocalSession, waiter: Waiter): void {
    const { leadership } = this;
    const ended = this.over ?? this.stopping?.reason;
    if (ended !== undefined) waiter.refused(this.appliedZxid, ended);
    else if (leadership === undefined) this.forwarder.submit(new ForwardedClosing(local, waiter));
    else {
      const live = leadership.keeper.get(local.session.id);
      if (live === undefined) waiter.refused(this.appliedZxid, sessionExpired(local.session.id));
      else leadership.keeper.close(live, waiter);
    }
  }

  /** What became of a numbered write; also of a session that has ended, while it is remembered. Only a leader knows. */
  outcome(id: number, secretHash: string, seq: number, done: (report: OutcomeReport | Refusal) => void): void {
    const { leadership } = this;
    const problem = this.unavailable();
    if (problem !== undefined) done(problem);
    else if (leadership !== undefined) {
      this.peer.confirmLeadership((zxid) => {
        done(zxid === undefined ? noLeader() : leadership.keeper.outcome(id, secretHash, seq));
      });
    } else {
      this.forwarder.ask({
        asked: { kind: "outcome", session: id, secretHash, seq },
        answered: (answer) => {
          if (answer.kind === "outcome") done(answer.report);
          else if (answer.kind === "refused") done(answer.refusal);
          else return false;
          return true;
        },
        lost: () => {
          done(noLeader());
        },
      });
    }
  }

  // ---- writes

  /** A write of a caller without a stream. */
  write(write: {
    request: WriteRequest;
    seq: number;
    ackedSeq: number;
    caller: Caller;
    live: LocalSession | undefined;
    sink: ReplySink;
    call: number;
  }): void {
    const { request, seq, caller, live, sink, call } = write;
    const problem = this.unavailable();
    if (problem !== undefined) sink.refused(call, this.appliedZxid, problem);
    else if (live === undefined && seq !== 0) {
      sink.refused(call, this.appliedZxid, refusal("SESSION_REQUIRED", "a seq needs a session"));
    } else {
      if (live !== undefined) this.acknowledge(live, write.ackedSeq);
      const waiter = waiterOf(sink, call, caller.session, seq);
      this.submit({ request, seq, caller, live, stream: undefined, waiter });
    }
  }

  /** A write of a client of this server. Those of streams wait for a leader when there is none. */
  submit(write: LocalWrite): void {
    const { request, seq, caller, live: local, waiter } = write;
    const { leadership } = this;
    const ended = this.over ?? this.stopping?.reason;
    if (ended !== undefined) waiter.refused(this.appliedZxid, ended);
    else if (leadership === undefined) this.forward(write);
    else {
      const live = local === undefined ? undefined : leadership.keeper.get(local.session.id);
      if (local !== undefined && live === undefined) {
        waiter.refused(this.appliedZxid, sessionExpired(local.session.id));
      } else if (live === undefined || seq === 0) leadership.submitUnnumbered(request, caller, live, waiter);
      else {
        const since = this.now;
        leadership.submit(live, { seq, request, fingerprint: fingerprint(request), caller, waiter, since });
      }
    }
  }

  private forward(write: LocalWrite): void {
    const { request, seq, caller, waiter } = write;
    const malformed = seq === 0 ? writeProblem(request, caller.identities) : undefined;
    const negative = seq < 0 ? refusal("BAD_ARGUMENTS", "a seq is positive", { field: "seq" }) : undefined;
    const problem = malformed ?? negative ?? this.forwarder.overloaded();
    if (problem !== undefined) waiter.refused(this.appliedZxid, problem);
    else this.forwarder.submit(new ForwardedWrite(write));
  }

  answerAgain(outcome: Outcome, request: number, waiter: Waiter): void {
    this.past.answer(outcome, request, waiter);
  }

  // ---- reads

  isFresh(freshness: Freshness): boolean {
    if (freshness.minZxid > this.appliedZxid || !this.readable) return false;
    return !freshness.linearizable || (this.leadership !== undefined && this.isAlone);
  }

  /** For callers without a stream: calls back once an answer is fresh enough, or with the reason why it will not be. */
  whenFresh(freshness: Freshness, resume: (problem: Refusal | undefined) => void): void {
    const problem = this.unavailable();
    if (problem !== undefined) resume(problem);
    else this.awaitFresh(freshness, resume);
  }

  /** For streams, which wait a while for a leader to come. */
  awaitFresh(freshness: Freshness, resume: (problem: Refusal | undefined) => void): void {
    const { minZxid, linearizable } = freshness;
    const problem = this.unreadable();
    if (problem !== undefined) resume(problem);
    else if (this.isFresh(freshness)) resume(undefined);
    else if (linearizable) this.readIndex.add({ minZxid, resume });
    else this.whenApplied(minZxid, resume);
  }

  whenApplied(zxid: number, resume: (problem: Refusal | undefined) => void): void {
    if (zxid <= this.appliedZxid) resume(undefined);
    else this.freshness.add(zxid, this.now, resume);
  }

  askReadIndex(done: (zxid: number | undefined) => void): boolean {
    if (!this.isInOffice) return false;
    if (this.leadership !== undefined) {
      this.peer.confirmLeadership(done);
      return true;
    }
    return this.forwarder.ask({
      asked: { kind: "readIndex" },
      answered: (answer) => {
        if (answer.kind !== "readIndex") return false;
        done(answer.zxid);
        return true;
      },
      lost: () => {
        done(undefined);
      },
    });
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
    return this.unreadable() ?? this.feeds.add(registration);
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

/** Whoever opens a session. When the leader that this server was is lost, the next one is asked. */
class OpeningWaiter extends CallWaiter {
  private readonly again: () => void;

  constructor(sink: ReplySink, call: number, again: () => void) {
    super(sink, call);
    this.again = again;
  }

  override lost(): void {
    this.again();
  }
}
