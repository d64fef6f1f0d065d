/**
 * This server's history as it stands: what was given to stable storage, how far that is durable, how far it is
 * committed, and how far it was delivered.
 *
 *   delivered <= committed <= last,  delivered <= durable <= last
 *
 * Nothing is delivered, and nothing acknowledged, beyond what is durable here. What is committed is never cut off.
 */
import { assert } from "../base/assert.ts";
import { Queue } from "../base/queue.ts";
import { Boundaries, nothing } from "./boundaries.ts";
import type { DurableLog, DurableState, Forming, HistoryPiece, LogPosition, MemberAck } from "./durable-log.ts";
import { countTransactions, endOf, HistoryWindow } from "./history-window.ts";

interface Unsynced {
  readonly write: number;
  lastZxid: number;
  readonly since: number;
}

export type Deliver = (bytes: Uint8Array, firstZxid: number, lastZxid: number) => void;

export class ReplicatedLog {
  clusterId: string;
  acceptedEpoch: number;
  currentEpoch: number;
  forming: Forming | undefined;
  /** Why this server counts nowhere until it is synchronized. */
  recovering: string | undefined;
  readonly boundaries: Boundaries;
  readonly window: HistoryWindow;
  /** The last transaction on stable storage. */
  durableZxid: number;
  private readonly log: DurableLog;
  private readonly logStart: number;
  private readonly deliverTo: Deliver;
  private writes = 0;
  private persistedWrite = 0;
  private readonly unsynced = new Queue<Unsynced>();
  private deliveredZxid: number;
  private committedZxid: number;
  /** The commit point that the last durable step carried. */
  private storedZxid: number;
  private readonly acked = new Map<number, LogPosition>();
  private ackedChanged = false;

  constructor(log: DurableLog, state: DurableState, windowBytes: number, deliver: Deliver) {
    const { last, committed, tail } = state;
    assert(state.currentEpoch <= state.acceptedEpoch, "currentEpoch is above acceptedEpoch");
    assert(committed.zxid <= last.zxid, "the commit point lies beyond the log");
    this.log = log;
    this.deliverTo = deliver;
    this.clusterId = state.clusterId === "" ? (state.forming?.clusterId ?? "") : state.clusterId;
    this.acceptedEpoch = state.acceptedEpoch;
    this.currentEpoch = state.currentEpoch;
    this.forming = state.forming;
    this.recovering = state.recovering;
    this.logStart = state.logStart;
    this.boundaries = new Boundaries(state.boundaries);
    assert(this.boundaries.last.zxid === last.zxid, "the boundaries end where the log ends");
    assert(this.boundaries.has(committed), "the commit point is in the history");
    this.durableZxid = last.zxid;
    this.committedZxid = committed.zxid;
    this.storedZxid = committed.zxid;
    this.deliveredZxid = committed.zxid;
    this.window = new HistoryWindow(windowBytes, committed.zxid);
    if (tail !== undefined) this.window.push(tail, committed.zxid + 1, last.zxid);
    for (const { member, position } of state.memberAcks) this.acked.set(member, position);
  }

  get last(): LogPosition {
    return this.boundaries.last;
  }

  /** The commit point known here, with the epoch of that transaction. */
  get committed(): LogPosition {
    return this.positionOf(this.committedZxid);
  }

  /** The oldest transaction that was in the log when this began; purging only moves it up. */
  get oldestZxid(): number {
    return this.logStart;
  }

  /** Whether everything given to stable storage is there. */
  get isDrained(): boolean {
    return this.persistedWrite === this.writes;
  }

  positionOf(zxid: number): LogPosition {
    return zxid === 0 ? nothing : { zxid, epoch: this.boundaries.epochOf(zxid) };
  }

  /** When the oldest append that is not durable was asked for; undefined when there is none. */
  get unsyncedSince(): number | undefined {
    return this.unsynced.peek()?.since;
  }

  // ---- durable steps; each returns its write id

  acceptEpoch(epoch: number): number {
    assert(epoch > this.acceptedEpoch, "an epoch is promised once");
    this.acceptedEpoch = epoch;
    const write = ++this.writes;
    this.log.acceptEpoch(write, epoch);
    return write;
  }

  establishEpoch(epoch: number): number {
    assert(epoch <= this.acceptedEpoch && epoch >= this.currentEpoch, "an epoch is established after it is promised");
    this.currentEpoch = epoch;
    this.recovering = undefined;
    const write = ++this.writes;
    this.log.establishEpoch(write, { epoch, last: this.last, committed: this.committed });
    return write;
  }

  /** Appends proposals of one epoch. */
  append(bytes: Uint8Array, firstZxid: number, lastZxid: number, epoch: number, now: number): number {
    return this.appendPiece({ bytes, firstZxid, boundaries: [{ zxid: lastZxid, epoch }] }, now);
  }

  appendPiece(piece: HistoryPiece, now: number): number {
    const { bytes, firstZxid, boundaries } = piece;
    assert(firstZxid === this.last.zxid + 1, "what is appended is contiguous");
    for (const end of boundaries) this.boundaries.extend(end);
    const { zxid: lastZxid, epoch } = this.last;
    this.window.push(bytes, firstZxid, lastZxid);
    const write = ++this.writes;
    this.unsynced.push({ write, lastZxid, since: now });
    this.storedZxid = this.committedZxid;
    this.log.append(write, { bytes, firstZxid, lastZxid, epoch, committed: this.committed });
    return write;
  }

  truncate(to: LogPosition): number {
    assert(to.zxid >= this.committedZxid, "what is committed is never cut off");
    this.boundaries.truncate(to);
    this.window.truncate(to.zxid);
    // Appends under way of what is cut off: what they make durable is no longer in the history.
    this.unsynced.forEach((append) => {
      append.lastZxid = Math.min(append.lastZxid, to.zxid);
    });
    this.durableZxid = Math.min(this.durableZxid, to.zxid);
    const write = ++this.writes;
    this.log.truncate(write, to);
    return write;
  }

  form(forming: Forming): number {
    assert(this.last.zxid === 0 && this.clusterId === "", "an ensemble is formed by empty servers");
    this.forming = forming;
    this.clusterId = forming.clusterId;
    const write = ++this.writes;
    this.log.form(write, forming);
    return write;
  }

  markRecovering(reason: string): number {
    this.recovering = reason;
    const write = ++this.writes;
    this.log.markRecovering(write, reason);
    return write;
  }

  /** Every step up to this one is on stable storage. */
  persisted(write: number): void {
    assert(write <= this.writes, "a step is durable that was not asked for");
    this.persistedWrite = Math.max(this.persistedWrite, write);
    while (this.unsynced.length > 0 && this.unsynced.peek()!.write <= write) {
      this.durableZxid = this.unsynced.shift()!.lastZxid;
    }
    this.deliver();
  }

  // ---- commit

  /** Everything up to this transaction, which is in the history, is committed. */
  commit(zxid: number): void {
    assert(zxid <= this.last.zxid, "what is committed is in the history");
    if (zxid <= this.committedZxid) return;
    this.committedZxid = zxid;
    this.deliver();
  }

  private deliver(): void {
    const upTo = Math.min(this.committedZxid, this.durableZxid);
    if (upTo <= this.deliveredZxid) return;
    this.window.forEach(this.deliveredZxid + 1, upTo, (bytes, firstZxid, lastZxid) => {
      this.deliveredZxid = lastZxid;
      this.deliverTo(bytes, firstZxid, lastZxid);
    });
    this.window.trim(this.deliveredZxid);
  }

  get delivered(): number {
    return this.deliveredZxid;
  }

  /** Stores the commit point when no further transaction carries it. */
  storeCommitPoint(): void {
    if (this.storedZxid >= this.committedZxid || this.unsynced.length > 0) return;
    this.storedZxid = this.committedZxid;
    this.log.commit(++this.writes, this.committed);
  }

  // ---- what members have acknowledged

  /** The highest committed transaction that a member is known to have acknowledged; zeros for none. */
  remembered(member: number): LogPosition {
    return this.acked.get(member) ?? nothing;
  }

  remember(acks: readonly MemberAck[]): void {
    for (const { member, position } of acks) {
      if (position.zxid <= this.remembered(member).zxid) continue;
      this.acked.set(member, position);
      this.ackedChanged = true;
    }
  }

  rememberedAcks(): MemberAck[] {
    return [...this.acked].map(([member, position]) => ({ member, position }));
  }

  /** Stores what was remembered since the last time. */
  storeAcks(): void {
    if (!this.ackedChanged) return;
    this.ackedChanged = false;
    this.log.rememberAcks(++this.writes, this.rememberedAcks());
  }
}

/** Whether what a member has is less than what it is known to have acknowledged. */
export function hasLost(has: LogPosition, acknowledged: LogPosition): boolean {
  return has.zxid < acknowledged.zxid || has.epoch < acknowledged.epoch;
}

/** Whether a piece of history from outside is what it claims to be, and follows after `last`. */
export function isContinuation(piece: HistoryPiece, last: LogPosition): boolean {
  let before = last;
  for (const end of piece.boundaries) {
    const sameEpochFirst = before === last && end.epoch === last.epoch;
    if (end.zxid <= before.zxid || (end.epoch <= before.epoch && !sameEpochFirst)) return false;
    before = end;
  }
  if (piece.boundaries.length === 0 || piece.firstZxid !== last.zxid + 1) return false;
  return countTransactions(piece.bytes) === endOf(piece) - piece.firstZxid + 1;
}
