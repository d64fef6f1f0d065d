/**
 * A server that follows, from its choice of a leader on. The order of its durable steps is what keeps committed
 * transactions alive (ZOOKEEPER-3023, 3911, 4643, 4646, 4685):
 *
 *   acceptedEpoch durable → ACKEPOCH;  history durable, currentEpoch in the same commit → ACK of NEWLEADER;
 *   proposal durable → its ACK, never before that of NEWLEADER
 *
 * Messages that do not fit the phase end the link. Until UPTODATE nothing is served.
 */
import { assert } from "../base/assert.ts";
import type { HistoryPiece, LogPosition } from "./durable-log.ts";
import { endOf, countTransactions } from "./history-window.ts";
import type { LeaderMessage, LearnerMessage } from "./message.ts";
import type { PeerContext } from "./peer.ts";
import { isContinuation } from "./replicated-log.ts";

export type FollowingPhase = "discovery" | "synchronization" | "snapshot" | "broadcast";

export class Following {
  readonly leader: number;
  readonly link: number;
  phase: FollowingPhase = "discovery";
  epoch = 0;
  /** UPTODATE has come. */
  isUpToDate = false;
  private readonly peer: PeerContext;
  private heardAt: number;
  private readonly startedAt: number;
  /** Whether this server newly promises the epoch. */
  private promiseCounts = false;
  private acceptWrite = 0;
  private establishWrite = 0;
  private newLeaderAcked = false;
  private ackedZxid = 0;
  /** Durable steps of the pieces of a DIFF that are to be acknowledged. */
  private readonly pieces: { write: number; zxid: number }[] = [];
  private ticket = 0;

  constructor(peer: PeerContext, leader: number) {
    this.peer = peer;
    this.leader = leader;
    this.heardAt = peer.now;
    this.startedAt = peer.now;
    this.link = peer.network.connect(leader);
    const { acceptedEpoch, currentEpoch, last, clusterId, recovering } = peer.log;
    this.send({
      type: "learnerInfo",
      clusterId,
      acceptedEpoch,
      currentEpoch,
      last,
      voter: peer.quorum.includes(peer.self),
      recovering: recovering !== undefined,
    });
  }

  private send(message: LearnerMessage): void {
    this.peer.network.send(this.link, message);
  }

  /** Returns whether the message fits the phase. */
  received(message: LeaderMessage): boolean {
    this.heardAt = this.peer.now;
    if (message.type === "answer") {
      if (!this.isUpToDate) return false;
      this.peer.host.received(this.leader, message.payload);
      return true;
    }
    if (message.type === "leaderInfo") return this.leaderInfo(message.epoch, message.clusterId);
    if (message.epoch !== this.epoch || this.phase === "discovery") return false;
    switch (message.type) {
      case "trunc":
        return this.trunc(message.to);
      case "snap":
        return this.snap(message);
      case "diff":
        return this.phase === "synchronization" && this.diff(message.piece, message.committed.zxid);
      case "newLeader":
        return this.newLeader(message);
      case "proposal":
        return this.proposal(message);
      case "upToDate":
        return this.upToDate(message.committed);
      case "commit":
        if (!this.isUpToDate) return false;
        return this.commit(message.committed);
      case "ping":
        return this.ping(message);
    }
  }

  // ---- discovery

  private leaderInfo(epoch: number, clusterId: string): boolean {
    const { log } = this.peer;
    if (this.phase !== "discovery" || this.epoch !== 0) return false;
    if (epoch < log.acceptedEpoch || epoch < 1) return false;
    if (log.clusterId === "") log.clusterId = clusterId;
    else if (clusterId !== log.clusterId) return false;
    this.epoch = epoch;
    if (epoch === log.acceptedEpoch) this.ackEpoch();
    else {
      this.promiseCounts = true;
      this.acceptWrite = log.acceptEpoch(epoch);
    }
    return true;
  }

  private ackEpoch(): void {
    const { currentEpoch, last, committed, boundaries } = this.peer.log;
    this.phase = "synchronization";
    this.send({
      type: "ackEpoch",
      epoch: this.epoch,
      counts: this.promiseCounts,
      currentEpoch,
      last,
      committed,
      boundaries: [...boundaries.list()],
    });
  }

  // ---- synchronization

  private trunc(to: LogPosition): boolean {
    const { log } = this.peer;
    if (this.phase !== "synchronization" || this.hasHistory || to.zxid >= log.last.zxid || !log.boundaries.has(to)) {
      return false;
    }
    this.hasHistory = true;
    // A leader with a quorum behind it lacks nothing that is committed: otherwise this process must not go on.
    log.truncate(to);
    return true;
  }

  /** Whether what is logged here is known to be the beginning of the leader's history. */
  private hasHistory = false;

  private snap(message: LeaderMessage & { type: "snap" }): boolean {
    if (this.phase !== "synchronization" || this.hasHistory) return false;
    this.phase = "snapshot";
    this.ticket = this.peer.nextTicket();
    this.peer.snapshots.installSnapshot(this.ticket, this.leader, message.offer, message.boundaries);
    return true;
  }

  snapshotFailed(ticket: number): void {
    if (this.phase === "snapshot" && ticket === this.ticket) this.peer.stepDown("the checkpoint was not installed");
  }

  private diff(piece: HistoryPiece, committed: number): boolean {
    const { log, now } = this.peer;
    if (!isContinuation(piece, log.last)) return false;
    this.hasHistory = true;
    const write = log.appendPiece(piece, now);
    this.pieces.push({ write, zxid: endOf(piece) });
    log.commit(Math.min(committed, log.last.zxid));
    return true;
  }

  private newLeader(message: LeaderMessage & { type: "newLeader" }): boolean {
    const { log } = this.peer;
    const { piece, last, committed } = message;
    if (this.phase !== "synchronization") return false;
    if (piece !== undefined && !isContinuation(piece, log.last)) return false;
    const end = piece === undefined ? log.last : piece.boundaries.at(-1)!;
    if (last.zxid !== end.zxid || last.epoch !== end.epoch) return false;
    this.hasHistory = true;
    // In one turn, and so in one commit: the last piece of the history, and the epoch that vouches for it.
    if (piece !== undefined) log.appendPiece(piece, this.peer.now);
    log.commit(Math.min(committed.zxid, log.last.zxid));
    this.establishWrite = log.establishEpoch(this.epoch);
    this.ackedZxid = log.last.zxid;
    this.phase = "broadcast";
    return true;
  }

  private upToDate(committed: LogPosition): boolean {
    if (this.phase !== "broadcast" || !this.newLeaderAcked || this.isUpToDate) return false;
    this.isUpToDate = true;
    this.commit(committed);
    // It serves once it has delivered what the leader had committed by then.
    this.upToDateAt = Math.min(committed.zxid, this.peer.log.last.zxid);
    this.announceWhenDelivered();
    return true;
  }

  private upToDateAt = Infinity;
  private announced = false;

  private announceWhenDelivered(): void {
    if (this.announced || this.peer.log.delivered < this.upToDateAt) return;
    this.announced = true;
    this.peer.host.following(this.leader, this.epoch);
    this.peer.announce();
  }

  get isServing(): boolean {
    return this.announced;
  }

  // ---- broadcast

  private proposal(message: LeaderMessage & { type: "proposal" }): boolean {
    const { log, now } = this.peer;
    const { bytes, firstZxid, lastZxid, committed } = message;
    if (this.phase !== "broadcast" || firstZxid !== log.last.zxid + 1 || lastZxid < firstZxid) return false;
    if (countTransactions(bytes) !== lastZxid - firstZxid + 1) return false;
    if (this.isUpToDate) log.commit(Math.min(committed.zxid, log.last.zxid));
    log.append(bytes, firstZxid, lastZxid, this.epoch, now);
    return true;
  }

  private commit(committed: LogPosition): boolean {
    const { log } = this.peer;
    // Proposals come before their commit on the same link, so what is committed is in the log.
    if (committed.zxid > log.last.zxid) return false;
    log.commit(committed.zxid);
    this.announceWhenDelivered();
    return true;
  }

  private ping(message: LeaderMessage & { type: "ping" }): boolean {
    const { log, diskLow } = this.peer;
    log.remember(message.acks);
    this.send({ type: "pong", epoch: this.epoch, round: message.round, diskLow });
    return this.isUpToDate ? this.commit(message.committed) : true;
  }

  request(payload: Uint8Array): void {
    this.send({ type: "request", payload });
  }

  /** Every durable step up to this one is on stable storage. */
  persisted(write: number): void {
    if (this.acceptWrite > 0 && write >= this.acceptWrite) {
      this.acceptWrite = 0;
      this.ackEpoch();
    }
    while (this.pieces.length > 0 && this.pieces[0]!.write <= write) {
      this.send({ type: "ackDiff", epoch: this.epoch, zxid: this.pieces.shift()!.zxid });
    }
    if (this.establishWrite > 0 && write >= this.establishWrite) {
      this.establishWrite = 0;
      this.newLeaderAcked = true;
      assert(this.peer.log.durableZxid >= this.ackedZxid, "the history is durable before its epoch");
      this.send({ type: "ackNewLeader", epoch: this.epoch, zxid: this.ackedZxid });
    }
    const { durableZxid } = this.peer.log;
    if (this.newLeaderAcked && durableZxid > this.ackedZxid) {
      this.ackedZxid = durableZxid;
      this.send({ type: "ack", epoch: this.epoch, zxid: durableZxid });
    }
    this.announceWhenDelivered();
  }

  tick(): void {
    const { now, timeouts } = this.peer;
    if (now - this.heardAt > timeouts.syncMs && this.phase !== "discovery") this.peer.stepDown("the leader is silent");
    else if (this.phase === "discovery" && now - this.startedAt > timeouts.initMs) {
      this.peer.stepDown("the leader found no quorum");
    }
  }

  end(): void {
    this.peer.network.close(this.link);
  }
}
