/**
 * Election (phase 0): which server should lead. It only has to come to one answer soon; that the answer is safe is the
 * work of discovery, so there are no rounds, and nobody waits for a better vote after a quorum.
 *
 * Every server tells every other how it stands, again and again. A candidate is a server that is looking, is heard by
 * this server and hears it, and itself has a quorum of such neighbours. Everybody votes for the best candidate: the
 * highest currentEpoch, then the longest history, then the highest id. The best candidate of all has the votes of its
 * whole quorum, whatever links are cut or work in one direction only, so elections do not go on for ever. Who follows a
 * leader does not vote: a server that comes back topples nobody.
 */
import type { LogPosition } from "./durable-log.ts";
import type { Notification } from "./message.ts";
import type { Neighbour } from "./neighbours.ts";
import type { Quorum } from "./quorum.ts";

/** The order of candidates: by the epoch as stored, never by the epoch of the last row. */
export interface Rank {
  readonly id: number;
  readonly currentEpoch: number;
  readonly last: LogPosition;
}

export function isBetter(a: Rank, b: Rank): boolean {
  if (a.currentEpoch !== b.currentEpoch) return a.currentEpoch > b.currentEpoch;
  if (a.last.zxid !== b.last.zxid) return a.last.zxid > b.last.zxid;
  return a.id > b.id;
}

/** How this server stands in an election. */
export interface Standing extends Rank {
  readonly canLead: boolean;
  readonly counts: boolean;
}

/** What is known of the others. */
export interface Field {
  readonly quorum: Quorum;
  /** Heard of lately. */
  readonly neighbours: readonly Neighbour[];
  /** Whether this server should not try to follow a member just now. */
  avoids(member: number): boolean;
  /** Whether a member has less than it is known to have acknowledged. */
  hasLost(neighbour: Neighbour): boolean;
}

export type Decision =
  | { readonly kind: "follow"; readonly leader: number }
  | { readonly kind: "lead" }
  /** Not decided yet; the vote to be told, 0 for none. */
  | { readonly kind: "vote"; readonly vote: number };

export function decide(self: Standing, field: Field): Decision {
  const leader = leaderToFollow(self, field);
  if (leader !== 0) return { kind: "follow", leader };
  if (!self.counts) return { kind: "vote", vote: 0 };
  const vote = bestCandidate(self, field);
  if (vote !== self.id) return { kind: "vote", vote };
  const votes = new Set([self.id]);
  for (const neighbour of field.neighbours) {
    const { state, vote, counts } = neighbour.said;
    if (state === "looking" && vote === self.id && counts && !field.hasLost(neighbour)) votes.add(neighbour.id);
  }
  return field.quorum.isMet(votes) ? { kind: "lead" } : { kind: "vote", vote };
}

/**
 * A server that leads and hears us; 0 for none. One that is not established yet is followed only by those it can
 * satisfy: a server with a better history would make it give up. With an equal one the ids do not matter: who was
 * elected already is followed, or a leader that only a server which does not count follows would wait for ever.
 */
function leaderToFollow(self: Standing, field: Field): number {
  let leader = 0;
  let epoch = -1;
  for (const neighbour of field.neighbours) {
    const { id, said } = neighbour;
    if (said.state !== "leading" || !hears(said, self.id) || field.avoids(id)) continue;
    if (
      said.epoch === 0 &&
      (field.hasLost(neighbour) || (self.counts && isBetter({ ...self, id: 0 }, { ...said, id: 0 })))
    ) {
      continue;
    }
    if (said.epoch > epoch) {
      leader = id;
      epoch = said.epoch;
    }
  }
  return leader;
}

function bestCandidate(self: Standing, field: Field): number {
  let best: Rank | undefined = self.canLead ? self : undefined;
  for (const neighbour of field.neighbours) {
    const { id, said } = neighbour;
    if (said.state !== "looking" || !said.canLead || !hears(said, self.id) || field.hasLost(neighbour)) continue;
    const { currentEpoch, last } = said;
    if (best === undefined || isBetter({ id, currentEpoch, last }, best)) best = { id, currentEpoch, last };
  }
  return best?.id ?? 0;
}

function hears(said: Notification, id: number): boolean {
  return said.hears.includes(id);
}

/** Whether a server has a quorum, itself included, of members that it hears and that hear it. */
export function hasQuorumInReach(self: number, quorum: Quorum, neighbours: readonly Neighbour[]): boolean {
  const reached = new Set([self]);
  for (const { id, said } of neighbours) if (hears(said, self)) reached.add(id);
  return quorum.isMet(reached);
}
