/**
 * One server of an ensemble: goes from forming or looking to leading or following and back, for as long as it lives.
 * Deterministic and without I/O: an input is a method call, an effect is a call on a port, and ports only enqueue.
 *
 *   forming ──mark stored──▶ looking ──elected──▶ leading   (leading.ts: discovery, synchronization, broadcast)
 *                               ▲  └──leader found──▶ following  (following.ts)
 *                               └───────── whatever fails ─────────┘
 *
 * Time is the time in which this server could have heard others: a step longer than two ticks, a pause of the process,
 * counts as two ticks, so that a server that stood still does not blame the others for its own silence.
 */
import { assert } from "../base/assert.ts";
import type {
  DurableState,
  LogPosition,
  LogReadResult,
  LogSource,
  SnapshotOffer,
  SnapshotSource,
} from "./durable-log.ts";
import { decide, hasQuorumInReach } from "./election.ts";
import { Following } from "./following.ts";
import { formationStep } from "./formation.ts";
import { Leading } from "./leading.ts";
import type { LearnerMessage, LinkMessage, Notification, PeerState } from "./message.ts";
import { Neighbours } from "./neighbours.ts";
import {
  defaultTimeouts,
  type Member,
  type PeerConfig,
  type PeerHost,
  type PeerNetwork,
  type PeerPorts,
  type PeerTimeouts,
} from "./ports.ts";
import { Quorum } from "./quorum.ts";
import { hasLost, ReplicatedLog } from "./replicated-log.ts";

/** What the roles of a peer share. */
export interface PeerContext {
  readonly self: number;
  readonly quorum: Quorum;
  readonly isAlone: boolean;
  readonly now: number;
  readonly timeouts: PeerTimeouts;
  readonly config: { readonly pieceBytes: number };
  readonly log: ReplicatedLog;
  readonly source: LogSource;
  readonly snapshots: SnapshotSource;
  readonly network: PeerNetwork;
  readonly host: PeerHost;
  readonly diskLow: boolean;
  readonly members: readonly Member[];
  /** The highest epoch that any server is known to have promised. */
  readonly highestPromise: number;
  notePromise(epoch: number): void;
  /** Numbers for what is asked of the world. */
  nextTicket(): number;
  /** Goes back to looking. */
  stepDown(reason: string): void;
  /** Tells everybody how this server stands, now. */
  announce(): void;
}

/** Recent history in memory, and one piece of a DIFF, bytes. */
const defaultWindowBytes = 4 * 1024 * 1024;
const defaultPieceBytes = 512 * 1024;
/** How often what others have acknowledged is stored, milliseconds. */
const storeAcksMs = 1000;
/** Rest after a failed attempt to follow or to lead, for each failure in a row; milliseconds. */
const restMs = 100;
const maxRests = 10;
/** How long a server that resigned leaves the office to others, milliseconds. */
const resignedMs = 3000;

export class Peer implements PeerContext {
  readonly self: number;
  readonly timeouts: PeerTimeouts;
  readonly config: { readonly pieceBytes: number };
  readonly log: ReplicatedLog;
  readonly source: LogSource;
  readonly snapshots: SnapshotSource;
  readonly network: PeerNetwork;
  readonly host: PeerHost;
  quorum: Quorum;
  /** Whether this server is a quorum by itself. */
  isAlone: boolean;
  now = 0;
  diskLow = false;
  /** What an empty server waits for; "" when nothing. */
  waitsFor = "";
  /** Why this server last went back to looking. */
  lastStepDown = "";
  /** Messages that did not fit, by what they were and where they came; for operators and tests. */
  readonly refused = new Map<string, number>();

  highestPromise = 0;
  private memberList: readonly Member[];
  private readonly newClusterId: string;
  private readonly tickMs: number;
  private readonly neighbours: Neighbours;
  private state: "forming" | "looking" = "looking";
  private leadingRole: Leading | undefined;
  private followingRole: Following | undefined;
  private lastMonotonicMs: number | undefined;
  private lastAnnounced = 0;
  private lastStoredAcks = 0;
  private tickets = 0;
  /** The vote, and whether it could lead, as last told. */
  private vote = 0;
  private toldCanLead = false;
  /** Members not to be followed for a while, and until when. */
  private readonly avoided = new Map<number, number>();
  private abstainsUntil = 0;
  private failures = 0;
  private awaitedForm = 0;

  constructor(config: PeerConfig, ports: PeerPorts, host: PeerHost, durable: DurableState) {
    this.self = config.self;
    this.tickMs = config.tickMs;
    this.timeouts = { ...defaultTimeouts, ...config.timeouts };
    this.config = { pieceBytes: config.pieceBytes ?? defaultPieceBytes };
    this.newClusterId = config.newClusterId;
    this.source = ports.source;
    this.snapshots = ports.snapshots;
    this.network = ports.network;
    this.host = host;
    this.memberList = config.members;
    this.quorum = quorumOf(config.members);
    this.isAlone = this.quorum.isMet(new Set([this.self]));
    this.neighbours = new Neighbours(this.timeouts.hearMs);
    // A server that is alone has nobody to bring up to date.
    const windowBytes = config.members.length === 1 ? 0 : (config.windowBytes ?? defaultWindowBytes);
    this.log = new ReplicatedLog(ports.log, durable, windowBytes, (bytes, firstZxid, lastZxid) => {
      host.deliver(bytes, firstZxid, lastZxid);
    });
    const isEmpty = this.log.last.zxid === 0 && this.log.currentEpoch === 0 && this.log.clusterId === "";
    if (isEmpty && this.log.recovering === undefined) this.state = "forming";
  }

  // ---- facts

  get members(): readonly Member[] {
    return this.memberList;
  }

  /** The members that the log names. */
  setMembers(members: readonly Member[]): void {
    this.memberList = members;
    this.quorum = quorumOf(members);
    this.isAlone = this.quorum.isMet(new Set([this.self]));
  }

  get role(): PeerState {
    if (this.leadingRole !== undefined) return "leading";
    return this.followingRole === undefined ? this.state : "following";
  }

  /** The role, and how far it has come. */
  get phase(): string {
    const inner = this.leadingRole?.phase ?? this.followingRole?.phase;
    return inner === undefined ? this.state : `${this.role}/${inner}`;
  }

  /** Leading: where the learner on this link stands. */
  learnerStage(link: number): string | undefined {
    return this.leadingRole?.stageOf(link);
  }

  /** Whether this server is in office, or up to date with who is. */
  get serving(): boolean {
    return this.leadingRole?.phase === "broadcast" || this.followingRole?.isServing === true;
  }

  get leader(): number {
    return this.leadingRole === undefined ? (this.followingRole?.leader ?? 0) : this.self;
  }

  get epoch(): number {
    return this.serving ? (this.leadingRole ?? this.followingRole)!.epoch : this.log.currentEpoch;
  }

  get committed(): LogPosition {
    return this.log.committed;
  }

  get last(): LogPosition {
    return this.log.last;
  }

  get clusterId(): string {
    return this.log.clusterId;
  }

  get recovering(): string | undefined {
    return this.log.recovering;
  }

  get growthRefused(): boolean {
    return this.leadingRole?.growthRefused ?? false;
  }

  get learners(): { member: number; synced: boolean; ackedZxid: number }[] {
    return this.leadingRole?.list ?? [];
  }

  /** When a member was last heard of, by this server's clock `now`; undefined for never. */
  heardAt(member: number): number | undefined {
    return this.neighbours.heardAt(member);
  }

  // ---- inputs

  /** Time has passed. `monotonicMs` never goes back. The first tick starts everything. */
  tick(monotonicMs: number): void {
    const step = this.lastMonotonicMs === undefined ? 0 : Math.max(monotonicMs - this.lastMonotonicMs, 0);
    this.lastMonotonicMs = monotonicMs;
    this.now += Math.min(step, 2 * this.tickMs);
    // Its followers have given it up while it stood still.
    if (step >= this.timeouts.syncMs && this.leadingRole !== undefined && !this.isAlone) {
      this.stepDown("it stood still for too long");
    }
    this.leadingRole?.tick();
    this.followingRole?.tick();
    if (this.now - this.lastStoredAcks >= storeAcksMs) {
      this.lastStoredAcks = this.now;
      this.log.storeAcks();
    }
    const { pingMs, gossipMs } = this.timeouts;
    const isSettled = this.leadingRole !== undefined || this.followingRole !== undefined;
    if (this.now - this.lastAnnounced >= (isSettled ? gossipMs : pingMs)) this.announce();
    this.think();
  }

  /** Every durable step up to this one is on stable storage. */
  persisted(write: number): void {
    this.log.persisted(write);
    if (this.awaitedForm > 0 && write >= this.awaitedForm) {
      this.awaitedForm = 0;
      this.state = "looking";
      this.announce();
    }
    this.leadingRole?.persisted(write);
    this.followingRole?.persisted(write);
    this.think();
  }

  /** A member has told how it stands. */
  notified(from: number, notification: Notification): void {
    const { clusterId } = this.log;
    const foreign = clusterId !== "" && notification.clusterId !== "" && notification.clusterId !== clusterId;
    if (foreign || from === this.self || !this.memberList.some(({ id }) => id === from)) {
      this.countRefused(foreign ? "notification of another cluster" : "notification of no member");
      return;
    }
    const wasUnheard = this.neighbours.heardAt(from) === undefined;
    this.neighbours.note(from, notification, this.now);
    // Whoever looks for a leader, or does not know that it is heard, is told at once.
    if (wasUnheard || (notification.state === "looking" && this.role !== "looking")) this.notify(from);
    this.think();
  }

  /** The channel on which a member tells how it stands has broken. */
  unreachable(from: number): void {
    this.neighbours.lost(from);
    const { followingRole } = this;
    if (followingRole?.leader === from && !followingRole.isServing) this.stepDown("the leader is gone");
    this.think();
  }

  /** A learner has opened a link to this server. */
  linkOpened(link: number, from: number): void {
    const isMember = from !== this.self && this.memberList.some(({ id }) => id === from);
    if (this.leadingRole !== undefined && isMember) this.leadingRole.linkOpened(link, from);
    else {
      this.countRefused("link to a server that does not lead");
      this.network.close(link);
    }
  }

  linkReceived(link: number, message: LinkMessage): void {
    const { leadingRole, followingRole } = this;
    const phase = this.learnerStage(link) ?? this.phase;
    let fits: boolean;
    if (leadingRole !== undefined) fits = isOfLearner(message) && leadingRole.received(link, message);
    // A message that was under way when this server closed the link.
    else if (followingRole === undefined || followingRole.link !== link) return;
    else fits = !isOfLearner(message) && followingRole.received(message);
    if (!fits) {
      this.countRefused(`${message.type} in ${phase}`);
      this.network.close(link);
      this.linkClosed(link);
    }
    this.think();
  }

  /** A link has ended, by the other side or by the network. */
  linkClosed(link: number): void {
    this.leadingRole?.linkClosed(link);
    if (this.followingRole?.link === link) this.stepDown("the link to the leader ended");
    this.think();
  }

  logRead(ticket: number, result: LogReadResult): void {
    this.leadingRole?.logRead(ticket, result);
    this.think();
  }

  snapshotReady(ticket: number, offer: SnapshotOffer | undefined): void {
    this.leadingRole?.snapshotReady(ticket, offer);
  }

  snapshotFailed(ticket: number): void {
    this.followingRole?.snapshotFailed(ticket);
    this.think();
  }

  // ---- what the state machine above does

  /** Proposes the next transactions: leading only. Nobody changes `bytes` from here on. */
  propose(bytes: Uint8Array, firstZxid: number, lastZxid: number): void {
    assert(this.leadingRole !== undefined, "only a leader proposes");
    this.leadingRole.propose(bytes, firstZxid, lastZxid);
  }

  /**
   * Calls back with the commit point as of now, once a quorum has confirmed, after this call, that this server leads; with
   * undefined when it turns out that it does not.
   */
  confirmLeadership(done: (zxid: number | undefined) => void): void {
    if (this.leadingRole === undefined) done(undefined);
    else this.leadingRole.confirmLeadership(done);
  }

  /** Following: says something to the leader, in order. */
  request(payload: Uint8Array): void {
    this.followingRole?.request(payload);
  }

  /** Leading: says something to a learner, in order with the proposals. */
  answer(member: number, payload: Uint8Array): void {
    this.leadingRole?.answer(member, payload);
  }

  /** Leading: says something to every learner. */
  broadcast(payload: Uint8Array): void {
    this.leadingRole?.answerAll(payload);
  }

  /** Leaves the office to others. */
  resign(): void {
    if (this.leadingRole === undefined) return;
    this.stepDown("it resigned");
    this.abstainsUntil = this.now + resignedMs;
    this.announce();
  }

  /** Stores the commit point when no further transaction carries it. */
  storeCommitPoint(): void {
    this.log.storeCommitPoint();
  }

  // ---- forming and looking

  private think(): void {
    if (this.leadingRole !== undefined || this.followingRole !== undefined) return;
    if (this.state === "forming") this.form();
    else this.look();
  }

  private form(): void {
    if (this.awaitedForm > 0) return;
    const founders = this.memberList.filter(({ voter }) => voter).map(({ id }) => id);
    const self = { id: this.self, founders: founders.sort((a, b) => a - b), newClusterId: this.newClusterId };
    const step = formationStep(self, this.neighbours.fresh(this.now));
    this.waitsFor = step.kind === "wait" ? step.problem : "";
    if (step.kind === "form") this.awaitedForm = this.log.form(step.forming);
    else if (step.kind === "join") {
      this.state = "looking";
      if (this.isVoter) this.log.markRecovering("this server's directory was empty, the ensemble is not");
      this.announce();
    }
  }

  private get isVoter(): boolean {
    return this.quorum.includes(this.self);
  }

  private get counts(): boolean {
    const { log } = this;
    return this.isVoter && log.recovering === undefined && log.isDrained && log.clusterId !== "";
  }

  private get canLead(): boolean {
    if (!this.counts || this.now < this.abstainsUntil) return false;
    return hasQuorumInReach(this.self, this.quorum, this.neighbours.fresh(this.now));
  }

  private look(): void {
    const { log, now } = this;
    // Votes and ranks speak of what is durable.
    if (!log.isDrained) return;
    const neighbours = this.neighbours.fresh(now);
    if (log.recovering === undefined) {
      const witness = neighbours.find(({ said }) => hasLost(log.last, said.remembers));
      if (witness !== undefined) {
        const { zxid, epoch } = witness.said.remembers;
        log.markRecovering(`server ${witness.id} knows that this server had transaction ${zxid} of epoch ${epoch}`);
        return;
      }
    }
    const { counts, canLead } = this;
    const decision = decide(
      { id: this.self, currentEpoch: log.currentEpoch, last: log.last, counts, canLead },
      {
        quorum: this.quorum,
        neighbours,
        avoids: (member) => (this.avoided.get(member) ?? 0) > now,
        hasLost: ({ id, said }) => hasLost(said.last, log.remembered(id)),
      },
    );
    if (decision.kind === "follow") this.follow(decision.leader);
    else if (decision.kind === "lead") this.lead();
    else if (decision.vote !== this.vote || canLead !== this.toldCanLead) {
      this.vote = decision.vote;
      this.announce();
    }
  }

  private follow(leader: number): void {
    this.vote = leader;
    this.followingRole = new Following(this, leader);
    this.announce();
  }

  private lead(): void {
    this.vote = this.self;
    this.leadingRole = new Leading(this);
    this.announce();
    this.leadingRole.start();
  }

  stepDown(reason: string): void {
    const { leadingRole, followingRole, serving } = this;
    if (leadingRole === undefined && followingRole === undefined) return;
    this.leadingRole = undefined;
    this.followingRole = undefined;
    this.lastStepDown = reason;
    if (serving) this.failures = 0;
    else {
      // Not the same attempt again at once: with a rest that differs between servers, somebody gets through.
      this.failures = Math.min(this.failures + 1, maxRests);
      const rest = restMs * this.failures + 17 * this.self;
      if (followingRole !== undefined) this.avoided.set(followingRole.leader, this.now + rest);
      else if (leadingRole!.phase === "discovery") this.abstainsUntil = this.now + rest;
    }
    leadingRole?.end();
    followingRole?.end();
    // That it leads is news again only when it says so again.
    if (followingRole !== undefined) this.neighbours.lost(followingRole.leader);
    this.vote = 0;
    this.host.looking();
    this.announce();
  }

  // ---- what others are told

  announce(): void {
    this.lastAnnounced = this.now;
    this.toldCanLead = this.canLead;
    for (const { id } of this.memberList) if (id !== this.self) this.notify(id);
  }

  private notify(to: number): void {
    const { log } = this;
    this.network.notify(to, {
      clusterId: log.clusterId,
      state: this.role,
      canLead: this.role === "looking" && this.canLead,
      counts: this.counts,
      currentEpoch: log.currentEpoch,
      last: log.last,
      vote: this.vote,
      epoch: this.leadingRole?.establishedEpoch ?? 0,
      hears: this.neighbours.fresh(this.now).map(({ id }) => id),
      remembers: log.remembered(to),
      forming: log.forming,
    });
  }

  notePromise(epoch: number): void {
    this.highestPromise = Math.max(this.highestPromise, epoch);
  }

  nextTicket(): number {
    return ++this.tickets;
  }

  private countRefused(what: string): void {
    this.refused.set(what, (this.refused.get(what) ?? 0) + 1);
  }
}

function quorumOf(members: readonly Member[]): Quorum {
  return new Quorum(members.filter(({ voter }) => voter).map(({ id }) => id));
}

const learnerTypes: ReadonlySet<string> = new Set<LearnerMessage["type"]>([
  "learnerInfo",
  "ackEpoch",
  "ackDiff",
  "ackNewLeader",
  "ack",
  "pong",
  "request",
]);

function isOfLearner(message: LinkMessage): message is LearnerMessage {
  return learnerTypes.has(message.type);
}
