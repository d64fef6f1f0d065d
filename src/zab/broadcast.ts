/**
 * Broadcast (phase 3), from the leader's side: transactions are proposed in the order of their zxids, and committed in
 * that order once a quorum of voters has them on stable storage. An acknowledgement covers everything before it.
 *
 * Invariant: committed <= acknowledged by a quorum, in this epoch; the leader's own acknowledgement is made by
 * `persisted` and by nothing else, and nothing commits beyond it.
 */
import { assert } from "../base/assert.ts";
import type { DurableLog, LogPosition } from "./durable-log.ts";
import type { Quorum } from "./quorum.ts";

interface Proposed {
  readonly write: number;
  readonly lastZxid: number;
}

export class Broadcast {
  readonly epoch: number;
  /** Whether this server alone is a quorum, so that it need not ask anybody whether it still leads. */
  readonly isConfirmed: boolean;
  private readonly self: number;
  private readonly quorum: Quorum;
  private readonly log: DurableLog;
  private readonly nextWrite: () => number;
  /** Appended here and not yet known to be durable, oldest first. */
  private readonly unsynced: Proposed[] = [];
  private readonly acked = new Map<number, number>();
  private readonly history: LogPosition;
  private proposedZxid: number;
  private committedZxid: number;
  /** The commit point that the last durable step carries, and the one it is known to be stored at. */
  private storedZxid: number;

  constructor(
    ensemble: { self: number; quorum: Quorum },
    durable: { log: DurableLog; nextWrite: () => number },
    start: { epoch: number; history: LogPosition },
  ) {
    this.self = ensemble.self;
    this.quorum = ensemble.quorum;
    this.log = durable.log;
    this.nextWrite = durable.nextWrite;
    this.epoch = start.epoch;
    this.history = start.history;
    this.proposedZxid = start.history.zxid;
    this.committedZxid = start.history.zxid;
    this.storedZxid = 0;
    this.acked.set(this.self, start.history.zxid);
    this.isConfirmed = this.quorum.isMet(new Set([this.self]));
  }

  /** The commit point, with the epoch of that transaction's own row. */
  get committed(): LogPosition {
    if (this.committedZxid === this.history.zxid) return this.history;
    return { zxid: this.committedZxid, epoch: this.epoch };
  }

  /** Zxid of the last transaction proposed. */
  get lastProposed(): number {
    return this.proposedZxid;
  }

  /** Proposes the next transactions; `bytes` are given away. */
  propose(bytes: Uint8Array, firstZxid: number, lastZxid: number): void {
    assert(firstZxid === this.proposedZxid + 1 && lastZxid >= firstZxid, "proposals are contiguous");
    const write = this.nextWrite();
    this.proposedZxid = lastZxid;
    this.storedZxid = this.committedZxid;
    this.unsynced.push({ write, lastZxid });
    this.log.append(write, { bytes, firstZxid, lastZxid, epoch: this.epoch, committed: this.committed });
  }

  /** Everything up to this durable step is on stable storage: the leader's own acknowledgement. */
  persisted(write: number): void {
    let last = 0;
    while (this.unsynced.length > 0 && this.unsynced[0]!.write <= write) last = this.unsynced.shift()!.lastZxid;
    if (last > 0) this.acknowledged(this.self, last);
  }

  private acknowledged(server: number, zxid: number): void {
    this.acked.set(server, zxid);
    const reached = Math.min(this.quorum.reached(this.acked), this.acked.get(this.self)!);
    if (reached > this.committedZxid) this.committedZxid = reached;
  }

  /** Stores the commit point when no further transaction carries it. */
  storeCommitPoint(): void {
    if (this.storedZxid >= this.committedZxid || this.unsynced.length > 0) return;
    this.storedZxid = this.committedZxid;
    this.log.commit(this.nextWrite(), this.committed);
  }

  /**
   * Linearizable reads: calls back once a quorum has confirmed, after this call, that this leader still leads. With a
   * quorum of one that is so at once.
   */
  confirmLeadership(confirmed: () => void): void {
    assert(this.isConfirmed, "a leader that is not a quorum must ask its followers");
    confirmed();
  }
}
