/**
 * Discovery (phase 1), from the leader's side: a new epoch, above every epoch that a quorum has promised, and a quorum's
 * promise to follow no earlier one.
 *
 * Invariant: a server's promise of an epoch counts for one leader only, the first that asked for it. So two leaders
 * cannot both end discovery with one epoch, and currentEpoch names one history.
 */
import { assert } from "../base/assert.ts";
import type { Quorum } from "./quorum.ts";

export class Discovery {
  /** 0 until a quorum has come. */
  epoch = 0;
  private readonly quorum: Quorum;
  private readonly above: number;
  /** The voters that have come, and the epoch each has promised. */
  private readonly accepted = new Map<number, number>();
  private readonly promises = new Set<number>();

  /** `above` is the highest promise known of servers that do not count. */
  constructor(quorum: Quorum, above = 0) {
    this.quorum = quorum;
    this.above = above;
  }

  /** FOLLOWERINFO of a voter, or the leader's own. Returns whether the epoch is chosen by that. */
  came(member: number, acceptedEpoch: number): boolean {
    if (this.epoch > 0) return false;
    this.accepted.set(member, acceptedEpoch);
    if (!this.quorum.isMet(new Set(this.accepted.keys()))) return false;
    this.epoch = Math.max(this.above, ...this.accepted.values()) + 1;
    return true;
  }

  left(member: number): void {
    // A promise is durable and stays; who has gone before the epoch was chosen has promised nothing.
    if (this.epoch === 0) this.accepted.delete(member);
  }

  /** ACKEPOCH of a voter that newly promises the epoch, or the leader's own durable promise. */
  promised(member: number): void {
    assert(this.epoch > 0, "an epoch is promised before it is chosen");
    this.promises.add(member);
  }

  get isDone(): boolean {
    return this.quorum.isMet(this.promises);
  }
}
