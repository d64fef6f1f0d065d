/**
 * How a leader comes into office: discovery and synchronization (Junqueira, Reed, Serafini 2011, phases 1 and 2), from
 * the leader's side.
 *
 *   discovery        a new epoch, above every epoch a quorum has accepted; accepted durably before it is acknowledged
 *   synchronization  the history of earlier epochs commits as a whole, through a quorum of ACK(NEWLEADER), each sent
 *                    after currentEpoch is durable; acknowledgements that earlier epochs gathered never count
 *
 * The leader's own acknowledgements count only once `persisted` proves them. Until the history is committed and
 * applied the leader prepares nothing and answers nothing.
 */
import { assert } from "../base/assert.ts";
import type { DurableLog, LogPosition } from "./durable-log.ts";
import type { Quorum } from "./quorum.ts";

export interface DurableState {
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** The last transaction logged, committed or not. */
  readonly last: LogPosition;
  readonly committed: LogPosition;
}

export type EstablishmentPhase = "discovery" | "synchronization" | "done";

export class Establishment {
  readonly epoch: number;
  phase: EstablishmentPhase = "discovery";
  private readonly self: number;
  private readonly quorum: Quorum;
  private readonly log: DurableLog;
  private readonly state: DurableState;
  private readonly nextWrite: () => number;
  private readonly acked = new Set<number>();
  /** The durable step of this phase. */
  private awaited: number;

  constructor(
    ensemble: { self: number; quorum: Quorum },
    durable: { log: DurableLog; state: DurableState; nextWrite: () => number },
  ) {
    this.self = ensemble.self;
    this.quorum = ensemble.quorum;
    this.log = durable.log;
    this.state = durable.state;
    this.nextWrite = durable.nextWrite;
    assert(this.state.currentEpoch <= this.state.acceptedEpoch, "currentEpoch is above acceptedEpoch");
    assert(this.state.committed.zxid <= this.state.last.zxid, "the commit point lies beyond the log");
    this.epoch = this.state.acceptedEpoch + 1;
    this.awaited = this.nextWrite();
    this.log.acceptEpoch(this.awaited, this.epoch);
  }

  /** Everything up to this durable step is on stable storage. */
  persisted(write: number): void {
    if (this.phase === "done" || write < this.awaited) return;
    if (this.phase === "discovery") this.epochAccepted(this.self);
    else this.newLeaderAcked(this.self);
  }

  /** ACKEPOCH: a server has durably accepted the new epoch. */
  private epochAccepted(server: number): void {
    this.acked.add(server);
    if (!this.quorum.isMet(this.acked)) return;
    this.phase = "synchronization";
    this.acked.clear();
    this.awaited = this.nextWrite();
    const { last, committed } = this.state;
    this.log.establishEpoch(this.awaited, { epoch: this.epoch, last, committed });
  }

  /** ACK(NEWLEADER): a server has durably stored the whole history and the current epoch. */
  private newLeaderAcked(server: number): void {
    this.acked.add(server);
    if (this.quorum.isMet(this.acked)) this.phase = "done";
  }
}
