/**
 * A server that leads, from its election on: discovery and synchronization with whoever comes, then broadcast. It ends
 * when it finds that it should not lead, or cannot: it hears no quorum, its writes stall, somebody has promised a later
 * epoch or has a better history.
 *
 * Each learner goes its own way through the phases; a late one joins the broadcast without a gap, because choosing what
 * it lacks, queueing that and joining are one step.
 */
import { assert } from "../base/assert.ts";
import { areBoundaries } from "./boundaries.ts";
import { Acknowledgements, ReadRounds } from "./broadcast.ts";
import { Discovery } from "./discovery.ts";
import type { HistoryPiece, LogPosition, LogReadResult, MemberAck, SnapshotOffer } from "./durable-log.ts";
import { isBetter } from "./election.ts";
import { endOf } from "./history-window.ts";
import { isInSync, newLearner, type Learner, type LearnerStage } from "./learner.ts";
import type { LeaderMessage, LearnerMessage } from "./message.ts";
import type { PeerContext } from "./peer.ts";
import { hasLost } from "./replicated-log.ts";
import { planSync } from "./synchronization.ts";

const maxPiecesUnderWay = 2;

export class Leading {
  phase: "discovery" | "synchronization" | "broadcast" = "discovery";
  private readonly peer: PeerContext;
  private readonly learners = new Map<number, Learner>();
  /** When each member was last heard of on a link, which may have ended since: it will be back in a moment. */
  private readonly heardAt = new Map<number, number>();
  private readonly discovery: Discovery;
  /** Who has acknowledged NEWLEADER, and counts. */
  private readonly newLeaderAcks = new Set<number>();
  private readonly acks: Acknowledgements;
  private readonly reads: ReadRounds;
  private readonly startedAt: number;
  /** The durable step that the phase waits for. */
  private awaitedWrite = 0;
  private lastPing: number;
  private round = 0;
  private ended = false;

  constructor(peer: PeerContext) {
    const { self, quorum, now } = peer;
    this.peer = peer;
    this.startedAt = now;
    this.lastPing = now;
    this.discovery = new Discovery(quorum, peer.highestPromise);
    this.acks = new Acknowledgements(self, quorum);
    this.reads = new ReadRounds(self, quorum, () => this.pingAll());
  }

  /** Begins; a server that is a quorum by itself needs nobody. */
  start(): void {
    this.came(this.peer.self, this.peer.log.acceptedEpoch);
  }

  /** The epoch once it is established; 0 before. */
  get establishedEpoch(): number {
    return this.phase === "broadcast" ? this.discovery.epoch : 0;
  }

  get epoch(): number {
    return this.discovery.epoch;
  }

  stageOf(link: number): LearnerStage | undefined {
    return this.learners.get(link)?.stage;
  }

  get list(): { member: number; synced: boolean; ackedZxid: number }[] {
    return [...this.learners.values()].map(({ member, stage }) => ({
      member,
      synced: stage === "synced",
      ackedZxid: this.acks.of(member),
    }));
  }

  // ---- links

  linkOpened(link: number, from: number): void {
    for (const older of this.learners.values()) if (older.member === from) this.drop(older);
    const { now, self } = this.peer;
    this.learners.set(link, newLearner(link, from, { now, self, round: this.round }));
  }

  linkClosed(link: number): void {
    const learner = this.learners.get(link);
    if (learner === undefined) return;
    this.forget(learner);
  }

  private drop(learner: Learner): void {
    this.peer.network.close(learner.link);
    this.forget(learner);
  }

  private forget(learner: Learner): void {
    this.learners.delete(learner.link);
    this.acks.left(learner.member);
    this.discovery.left(learner.member);
    if (learner.stage === "synced" && this.phase === "broadcast") this.peer.host.learnerLeft(learner.member);
  }

  private send(learner: Learner, message: LeaderMessage): void {
    this.peer.network.send(learner.link, message);
  }

  /** Returns whether the message fits the phase of its learner. */
  received(link: number, message: LearnerMessage): boolean {
    const learner = this.learners.get(link);
    // It was dropped a moment ago.
    if (learner === undefined) return true;
    learner.heardAt = this.peer.now;
    // Until it is established, a leader lives by those whose ACK of NEWLEADER will count.
    const isCounted = this.phase === "broadcast" ? learner.stage === "synced" : learner.counts;
    if (isCounted) this.heardAt.set(learner.member, this.peer.now);
    if (message.type === "learnerInfo") return this.learnerInfo(learner, message);
    if (message.type === "request") {
      if (learner.stage !== "synced" || this.phase !== "broadcast") return false;
      this.peer.host.received(learner.member, message.payload);
      return true;
    }
    if (message.epoch !== this.epoch) return false;
    switch (message.type) {
      case "ackEpoch":
        return this.ackEpoch(learner, message);
      case "ackDiff":
        return this.ackDiff(learner, message.zxid);
      case "ackNewLeader":
        return this.ackNewLeader(learner, message.zxid);
      case "ack":
        return this.ack(learner, message.zxid);
      case "pong":
        if (!isInSync(learner)) return false;
        learner.diskLow = message.diskLow;
        if (this.isVoter(learner.member) && learner.stage === "synced") this.echoed(learner.member, message.round);
        return true;
    }
  }

  private isVoter(member: number): boolean {
    return this.peer.quorum.includes(member);
  }

  // ---- discovery

  private learnerInfo(learner: Learner, info: LearnerMessage & { type: "learnerInfo" }): boolean {
    const { log, self } = this.peer;
    const { member } = learner;
    if (learner.stage !== "connected" || member === self) return false;
    if (info.clusterId !== "" && info.clusterId !== log.clusterId) return false;
    if (info.voter !== this.isVoter(member)) return false;
    learner.stage = "discovery";
    learner.last = info.last;
    const lost = info.recovering || info.clusterId === "" || hasLost(info.last, log.remembered(member));
    learner.counts = info.voter && !lost;
    this.peer.notePromise(info.acceptedEpoch);
    if (this.epoch > 0 && info.acceptedEpoch > this.epoch) {
      // It must not follow this epoch; the next one will be above its promise.
      this.peer.stepDown(`server ${member} has promised epoch ${info.acceptedEpoch}`);
      return true;
    }
    if (learner.counts) this.came(member, info.acceptedEpoch);
    if (!this.ended) this.sendInfo(learner);
    return true;
  }

  private came(member: number, acceptedEpoch: number): void {
    if (!this.discovery.came(member, acceptedEpoch)) return;
    this.awaitedWrite = this.peer.log.acceptEpoch(this.epoch);
  }

  /** LEADERINFO, once this server's own promise is durable. */
  private sendInfo(learner: Learner): void {
    if (learner.infoSent || learner.stage !== "discovery" || this.epoch === 0 || !this.hasPromised) return;
    learner.infoSent = true;
    this.send(learner, { type: "leaderInfo", clusterId: this.peer.log.clusterId, epoch: this.epoch });
  }

  private hasPromised = false;

  persisted(write: number): void {
    if (this.awaitedWrite > 0 && write >= this.awaitedWrite) {
      this.awaitedWrite = 0;
      if (this.phase === "discovery") {
        this.hasPromised = true;
        this.discovery.promised(this.peer.self);
        for (const learner of this.learners.values()) this.sendInfo(learner);
        this.endDiscovery();
      } else {
        this.newLeaderAcks.add(this.peer.self);
        this.acks.acknowledged(this.peer.self, this.peer.log.durableZxid);
        this.establish();
      }
    } else if (this.phase === "broadcast") {
      this.acks.acknowledged(this.peer.self, this.peer.log.durableZxid);
      this.advanceCommit();
    }
  }

  private ackEpoch(learner: Learner, ack: LearnerMessage & { type: "ackEpoch" }): boolean {
    if (learner.stage !== "discovery" || !learner.infoSent || !areBoundaries(ack.boundaries, ack.last)) return false;
    learner.stage = "promised";
    learner.last = ack.last;
    learner.boundaries = ack.boundaries;
    const { log, self } = this.peer;
    if (this.phase === "discovery" && learner.counts && ack.counts) {
      const { currentEpoch, last } = log;
      if (isBetterHistory(ack, { currentEpoch, last })) {
        this.peer.stepDown(`server ${learner.member} has a better history than server ${self}`);
        return true;
      }
      this.discovery.promised(learner.member);
      this.endDiscovery();
    }
    if (this.phase !== "discovery") this.synchronize(learner);
    return true;
  }

  private endDiscovery(): void {
    if (this.phase !== "discovery" || !this.discovery.isDone) return;
    this.phase = "synchronization";
    this.awaitedWrite = this.peer.log.establishEpoch(this.epoch);
    for (const learner of this.learners.values()) this.synchronize(learner);
  }

  // ---- synchronization

  private synchronize(learner: Learner): void {
    if (learner.stage !== "promised") return;
    const { log, source } = this.peer;
    const plan = planSync(learner, { boundaries: log.boundaries, logStart: source.oldestZxid });
    if (plan.method === "snap") {
      learner.stage = "snapshot";
      learner.ticket = this.peer.nextTicket();
      this.peer.snapshots.prepareSnapshot(learner.ticket);
      return;
    }
    if (plan.method === "trunc") this.send(learner, { type: "trunc", epoch: this.epoch, to: plan.after });
    learner.stage = "diff";
    learner.sentZxid = plan.after.zxid;
    this.advance(learner);
  }

  snapshotReady(ticket: number, offer: SnapshotOffer | undefined): void {
    const learner = this.waitingFor(ticket);
    if (learner?.stage !== "snapshot") return;
    learner.ticket = 0;
    const { boundaries } = this.peer.log;
    if (offer === undefined || !boundaries.has(offer.at)) {
      this.drop(learner);
      return;
    }
    this.send(learner, { type: "snap", epoch: this.epoch, offer, boundaries: boundaries.between(0, offer.at.zxid) });
  }

  /** Sends the next pieces of what a learner lacks; when the rest is in memory, all of it, and it joins the broadcast. */
  private advance(learner: Learner): void {
    const { log, source, config } = this.peer;
    if (learner.stage !== "diff" || learner.ticket !== 0) return;
    if (learner.sentZxid + 1 >= log.window.firstZxid) {
      if (this.mayJoin(learner)) this.join(learner);
      return;
    }
    if (learner.piecesUnderWay >= maxPiecesUnderWay) return;
    learner.ticket = this.peer.nextTicket();
    source.readLog(learner.ticket, learner.sentZxid, config.pieceBytes);
  }

  /**
   * Whether synchronization may make a full member of a learner. A voter that has lost its data may have promised a
   * later epoch and forgotten it: it joins when a quorum without it has been found, since it came, to follow this
   * leader.
   */
  private mayJoin(learner: Learner): boolean {
    if (learner.counts || !this.isVoter(learner.member)) return true;
    return this.phase === "broadcast" && this.peer.quorum.isMet(learner.vouchers);
  }

  /** A voter in sync has echoed a round of pings: it follows this leader still. */
  private echoed(member: number, round: number): void {
    this.reads.echo(member, round);
    for (const learner of this.learners.values()) {
      if (learner.counts || learner.stage !== "diff" || learner.member === member) continue;
      if (round > learner.cameInRound) learner.vouchers.add(member);
      this.advance(learner);
    }
  }

  private join(learner: Learner): void {
    const { log, config } = this.peer;
    let piece: HistoryPiece | undefined;
    while (learner.sentZxid < log.last.zxid) {
      if (piece !== undefined) this.sendPiece(learner, piece);
      piece = log.window.read(learner.sentZxid + 1, config.pieceBytes, log.boundaries);
      learner.sentZxid = endOf(piece);
    }
    // The last piece travels with NEWLEADER, so that both become durable in one commit.
    const { last, committed } = log;
    this.send(learner, { type: "newLeader", epoch: this.epoch, last, piece, committed });
    learner.stage = "newLeader";
  }

  private sendPiece(learner: Learner, piece: HistoryPiece): void {
    learner.piecesUnderWay++;
    this.send(learner, { type: "diff", epoch: this.epoch, piece, committed: this.peer.log.committed });
  }

  logRead(ticket: number, result: LogReadResult): void {
    const learner = this.waitingFor(ticket);
    if (learner?.stage !== "diff") return;
    learner.ticket = 0;
    if (result === undefined) {
      // It was purged in the meantime: the learner comes again and gets a checkpoint.
      this.drop(learner);
      return;
    }
    assert(result.firstZxid === learner.sentZxid + 1, "the log is read where the learner's history ends");
    learner.sentZxid = endOf(result);
    this.sendPiece(learner, result);
    this.advance(learner);
  }

  private waitingFor(ticket: number): Learner | undefined {
    for (const learner of this.learners.values()) if (learner.ticket === ticket) return learner;
    return undefined;
  }

  private ackDiff(learner: Learner, zxid: number): boolean {
    if (!isInSync(learner) || learner.piecesUnderWay === 0 || zxid > learner.sentZxid) return false;
    learner.piecesUnderWay--;
    this.advance(learner);
    return true;
  }

  private ackNewLeader(learner: Learner, zxid: number): boolean {
    if (learner.stage !== "newLeader" || zxid > learner.sentZxid) return false;
    learner.stage = "synced";
    this.acks.acknowledged(learner.member, zxid);
    if (learner.counts) this.newLeaderAcks.add(learner.member);
    if (this.phase === "broadcast") {
      this.upToDate(learner);
      this.advanceCommit();
    } else this.establish();
    return true;
  }

  /** The history of earlier epochs is committed as a whole, through a quorum of ACK(NEWLEADER), this server's included. */
  private establish(): void {
    const { self, quorum, log, host } = this.peer;
    if (this.phase !== "synchronization" || !this.newLeaderAcks.has(self)) return;
    if (!quorum.isMet(this.newLeaderAcks)) return;
    this.phase = "broadcast";
    log.commit(log.last.zxid);
    assert(log.delivered === log.last.zxid, "the history is delivered as a whole before the leader prepares");
    host.leading(this.epoch);
    for (const learner of [...this.learners.values()]) if (learner.stage === "synced") this.upToDate(learner);
    this.peer.announce();
  }

  private upToDate(learner: Learner): void {
    this.send(learner, { type: "upToDate", epoch: this.epoch, committed: this.peer.log.committed });
    this.peer.host.learnerJoined(learner.member);
  }

  // ---- broadcast

  propose(bytes: Uint8Array, firstZxid: number, lastZxid: number): void {
    const { log, now } = this.peer;
    assert(this.phase === "broadcast", "a leader proposes once it is established");
    const { epoch } = this;
    const { committed } = log;
    log.append(bytes, firstZxid, lastZxid, epoch, now);
    const proposal: LeaderMessage = { type: "proposal", epoch, bytes, firstZxid, lastZxid, committed };
    for (const learner of this.learners.values()) {
      if (learner.stage !== "newLeader" && learner.stage !== "synced") continue;
      assert(learner.sentZxid === firstZxid - 1, "a learner gets every proposal");
      learner.sentZxid = lastZxid;
      this.send(learner, proposal);
    }
  }

  private ack(learner: Learner, zxid: number): boolean {
    if (learner.stage !== "synced" || zxid > learner.sentZxid || zxid < this.acks.of(learner.member)) return false;
    this.acks.acknowledged(learner.member, zxid);
    if (this.phase === "broadcast") this.advanceCommit();
    return true;
  }

  private advanceCommit(): void {
    const { log } = this.peer;
    const { committed } = this.acks;
    if (committed <= log.committed.zxid) return;
    assert(
      log.boundaries.epochOf(committed) === this.epoch,
      "only this epoch's transactions are committed by counting",
    );
    log.commit(committed);
    const message: LeaderMessage = { type: "commit", epoch: this.epoch, committed: log.committed };
    for (const learner of this.learners.values()) if (learner.stage === "synced") this.send(learner, message);
  }

  confirmLeadership(done: (zxid: number | undefined) => void): void {
    if (this.phase === "broadcast") this.reads.ask(this.peer.log.committed.zxid, done);
    else done(undefined);
  }

  answer(member: number, payload: Uint8Array): void {
    for (const learner of this.learners.values()) {
      if (learner.member === member && learner.stage === "synced") this.send(learner, { type: "answer", payload });
    }
  }

  answerAll(payload: Uint8Array): void {
    for (const learner of this.learners.values()) {
      if (learner.stage === "synced") this.send(learner, { type: "answer", payload });
    }
  }

  // ---- time

  tick(): void {
    const { now, timeouts, log } = this.peer;
    for (const learner of [...this.learners.values()]) {
      if (now - learner.heardAt <= timeouts.syncMs) continue;
      // Before its synchronization a learner has nothing to say: it waits for a quorum, as this server does.
      if (isInSync(learner) || this.phase === "broadcast") this.drop(learner);
    }
    // A server alone has nobody to leave the office to: it waits for its disk.
    const stalls = !this.peer.isAlone && now - (log.unsyncedSince ?? now) > timeouts.stallMs;
    if (stalls) this.peer.stepDown("writes stall");
    else if (this.phase === "discovery" && now - this.startedAt > timeouts.initMs) this.peer.stepDown("no quorum came");
    else if (this.phase !== "discovery" && !this.hearsQuorum()) this.peer.stepDown("no quorum is heard");
    else if (now - this.lastPing >= timeouts.pingMs) this.pingAll();
  }

  /** Whether a quorum is with this leader; before it is established, those that are being synchronized count. */
  private hearsQuorum(): boolean {
    const { self, quorum, now, timeouts } = this.peer;
    const heard = new Set([self]);
    for (const [member, at] of this.heardAt) if (now - at <= timeouts.syncMs) heard.add(member);
    return quorum.isMet(heard);
  }

  /** Begins a round of pings; returns its number. */
  private pingAll(): number {
    const { log, now } = this.peer;
    this.lastPing = now;
    const round = ++this.round;
    const acks = this.ackedCommitted();
    log.remember(acks);
    const { epoch } = this;
    const ping: LeaderMessage = { type: "ping", epoch, round, committed: log.committed, acks };
    for (const learner of this.learners.values()) if (isInSync(learner)) this.send(learner, ping);
    return round;
  }

  /** The highest committed transaction that each member has acknowledged. */
  private ackedCommitted(): MemberAck[] {
    const { log, self } = this.peer;
    if (this.phase !== "broadcast") return log.rememberedAcks();
    const acks = new Map<number, LogPosition>();
    for (const { member, position } of log.rememberedAcks()) acks.set(member, position);
    for (const member of [self, ...[...this.learners.values()].map((learner) => learner.member)]) {
      const position = log.positionOf(Math.min(this.acks.of(member), log.committed.zxid));
      if (position.zxid > (acks.get(member)?.zxid ?? 0)) acks.set(member, position);
    }
    return [...acks].map(([member, position]) => ({ member, position }));
  }

  /** Whether servers whose disks are known to be low keep the others from being a quorum. */
  get growthRefused(): boolean {
    const { self, diskLow, members, quorum } = this.peer;
    const low = new Set(diskLow ? [self] : []);
    for (const learner of this.learners.values()) if (learner.diskLow) low.add(learner.member);
    return low.size > 0 && !quorum.isMet(new Set(members.map(({ id }) => id).filter((id) => !low.has(id))));
  }

  /** This server leads no more: every link ends. */
  end(): void {
    this.ended = true;
    for (const learner of this.learners.values()) this.peer.network.close(learner.link);
    this.learners.clear();
    this.reads.abandon();
  }
}

function isBetterHistory(
  a: { currentEpoch: number; last: LogPosition },
  b: { currentEpoch: number; last: LogPosition },
) {
  return isBetter({ id: 0, ...a }, { id: 0, ...b });
}
