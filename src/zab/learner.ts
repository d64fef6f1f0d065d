/** What a leader knows of one learner: how far it has come on its way into the broadcast. */
import { nothing } from "./boundaries.ts";
import type { LogPosition } from "./durable-log.ts";

/** Where a learner stands. */
export type LearnerStage =
  /** It has opened a link and said nothing. */
  | "connected"
  /** FOLLOWERINFO has come; LEADERINFO is due or sent. */
  | "discovery"
  /** ACKEPOCH has come; synchronization begins when a quorum has promised the epoch. */
  | "promised"
  /** A checkpoint is being made or installed. */
  | "snapshot"
  /** It is sent the history it lacks. */
  | "diff"
  /** NEWLEADER is sent: it gets every proposal from here on. */
  | "newLeader"
  /** NEWLEADER is acknowledged. */
  | "synced";

export interface Learner {
  readonly link: number;
  readonly member: number;
  stage: LearnerStage;
  heardAt: number;
  /** A voter that has lost nothing: its promise and its ACK of NEWLEADER count. */
  counts: boolean;
  /** The last round of pings before it came, and who has echoed a later one; see `mayJoin`. */
  readonly cameInRound: number;
  readonly vouchers: Set<number>;
  infoSent: boolean;
  /** What it said of its history. */
  last: LogPosition;
  boundaries: readonly LogPosition[];
  /** Everything up to here was sent, or is there. */
  sentZxid: number;
  /** Pieces of a DIFF sent and not yet acknowledged. */
  piecesUnderWay: number;
  /** The read of the log or the checkpoint that it waits for; 0 for none. */
  ticket: number;
  diskLow: boolean;
}

/** A learner that has just opened its link; `round` is the last round of pings of its leader, `self`. */
export function newLearner(
  link: number,
  member: number,
  leader: { readonly now: number; readonly self: number; readonly round: number },
): Learner {
  return {
    link,
    member,
    stage: "connected",
    heardAt: leader.now,
    counts: false,
    cameInRound: leader.round,
    vouchers: new Set([leader.self]),
    infoSent: false,
    last: nothing,
    boundaries: [],
    sentZxid: 0,
    piecesUnderWay: 0,
    ticket: 0,
    diskLow: false,
  };
}

/** Whether it is being synchronized, or is in sync: it hears pings. */
export function isInSync({ stage }: Learner): boolean {
  return stage === "snapshot" || stage === "diff" || stage === "newLeader" || stage === "synced";
}
