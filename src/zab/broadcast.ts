/**
 * Broadcast (phase 3), from the leader's side: transactions are committed in the order of their zxids, once a quorum of
 * voters has them on stable storage. An acknowledgement covers everything before it.
 *
 * Invariant: an acknowledgement counts only after the ACK of NEWLEADER of this epoch, so those that earlier epochs
 * gathered never do; the leader's own is made by `persisted` alone, and nothing commits beyond it.
 */
import type { Quorum } from "./quorum.ts";

export class Acknowledgements {
  private readonly self: number;
  private readonly quorum: Quorum;
  private readonly acked = new Map<number, number>();

  constructor(self: number, quorum: Quorum) {
    this.self = self;
    this.quorum = quorum;
  }

  acknowledged(member: number, zxid: number): void {
    this.acked.set(member, zxid);
  }

  left(member: number): void {
    this.acked.delete(member);
  }

  of(member: number): number {
    return this.acked.get(member) ?? 0;
  }

  /** The highest zxid that a quorum has acknowledged, this server among them. */
  get committed(): number {
    return Math.min(this.quorum.reached(this.acked), this.of(this.self));
  }
}

interface Question {
  readonly zxid: number;
  readonly done: (zxid: number | undefined) => void;
}

/**
 * Linearizable reads without a log write: a question is answered with the commit point of when it was asked, after a
 * round of pings that was sent later has been echoed by a quorum. One round answers everything that waited for it.
 */
export class ReadRounds {
  private readonly self: number;
  private readonly quorum: Quorum;
  private readonly ping: () => number;
  /** The round that answers `asked`; echoes of later ones prove as much. */
  private round = 0;
  private asked: Question[] = [];
  private next: Question[] = [];
  private readonly echoed = new Set<number>();

  /** `ping` begins a round and returns its number, which rises. */
  constructor(self: number, quorum: Quorum, ping: () => number) {
    this.self = self;
    this.quorum = quorum;
    this.ping = ping;
  }

  ask(zxid: number, done: (zxid: number | undefined) => void): void {
    this.next.push({ zxid, done });
    if (this.asked.length === 0) this.begin();
  }

  private begin(): void {
    this.asked = this.next;
    this.next = [];
    this.echoed.clear();
    this.echoed.add(this.self);
    this.round = this.ping();
    this.finish();
  }

  /** A voter in sync has echoed a round. */
  echo(member: number, round: number): void {
    if (this.asked.length === 0 || round < this.round) return;
    this.echoed.add(member);
    this.finish();
  }

  private finish(): void {
    if (!this.quorum.isMet(this.echoed)) return;
    const answered = this.asked;
    this.asked = [];
    for (const { zxid, done } of answered) done(zxid);
    if (this.asked.length === 0 && this.next.length > 0) this.begin();
  }

  /** This server leads no more. */
  abandon(): void {
    const waiting = [...this.asked, ...this.next];
    this.asked = [];
    this.next = [];
    for (const { done } of waiting) done(undefined);
  }
}
