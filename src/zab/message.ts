/**
 * What servers say to each other. Notifications are for everybody and about oneself; everything else goes over the link
 * that a learner has opened to its leader, in order, and ends with it. docs/protocol.md maps the names to ZooKeeper's.
 */
import type { Forming, HistoryPiece, LogPosition, SnapshotOffer } from "./durable-log.ts";

export type PeerState = "forming" | "looking" | "following" | "leading";

/** The state of its sender, as of now. A later one replaces an earlier one. */
export interface Notification {
  /** "" while it has none. */
  readonly clusterId: string;
  readonly state: PeerState;
  /** Whether it may lead: a voter that has lost nothing, hears a quorum that hears it, and has nothing unsynced. */
  readonly canLead: boolean;
  /** Whether its vote counts. */
  readonly counts: boolean;
  readonly currentEpoch: number;
  readonly last: LogPosition;
  /** The server it wants to follow, follows or is; 0 for none. */
  readonly vote: number;
  /** Leading: the epoch once it is established; 0 before. */
  readonly epoch: number;
  /** Whom it has heard of lately. */
  readonly hears: readonly number[];
  /** The highest committed transaction that it knows the receiver has acknowledged; zeros for none. */
  readonly remembers: LogPosition;
  /** The mark of a founder. */
  readonly forming: Forming | undefined;
}

/** Learner to leader. */
export type LearnerMessage =
  /** FOLLOWERINFO, OBSERVERINFO. */
  | {
      readonly type: "learnerInfo";
      readonly clusterId: string;
      readonly acceptedEpoch: number;
      readonly last: LogPosition;
      readonly currentEpoch: number;
      readonly voter: boolean;
      readonly recovering: boolean;
    }
  /** ACKEPOCH. It counts only when this epoch is newly promised: whoever has promised it before did so to another. */
  | {
      readonly type: "ackEpoch";
      readonly epoch: number;
      readonly counts: boolean;
      readonly currentEpoch: number;
      readonly last: LogPosition;
      readonly committed: LogPosition;
      readonly boundaries: readonly LogPosition[];
    }
  /** The pieces of a DIFF up to this one are durable: the leader may send more. Counts for nothing else. */
  | { readonly type: "ackDiff"; readonly epoch: number; readonly zxid: number }
  /** ACK of NEWLEADER: the whole history, and the epoch, are durable. */
  | { readonly type: "ackNewLeader"; readonly epoch: number; readonly zxid: number }
  /** ACK: every proposal up to this one is durable. */
  | { readonly type: "ack"; readonly epoch: number; readonly zxid: number }
  | { readonly type: "pong"; readonly epoch: number; readonly round: number; readonly diskLow: boolean }
  | { readonly type: "request"; readonly payload: Uint8Array };

/** Leader to learner. */
export type LeaderMessage =
  | { readonly type: "leaderInfo"; readonly clusterId: string; readonly epoch: number }
  /** TRUNC: cut off everything after. */
  | { readonly type: "trunc"; readonly epoch: number; readonly to: LogPosition }
  /** SNAP: the log here begins later; install this checkpoint, then come again. */
  | {
      readonly type: "snap";
      readonly epoch: number;
      readonly offer: SnapshotOffer;
      readonly boundaries: readonly LogPosition[];
    }
  /** DIFF: the next piece of history. */
  | { readonly type: "diff"; readonly epoch: number; readonly piece: HistoryPiece; readonly committed: LogPosition }
  /** NEWLEADER, with the last piece of the history it ends, if any. */
  | {
      readonly type: "newLeader";
      readonly epoch: number;
      readonly last: LogPosition;
      readonly piece: HistoryPiece | undefined;
      readonly committed: LogPosition;
    }
  | { readonly type: "upToDate"; readonly epoch: number; readonly committed: LogPosition }
  | {
      readonly type: "proposal";
      readonly epoch: number;
      readonly bytes: Uint8Array;
      readonly firstZxid: number;
      readonly lastZxid: number;
      readonly committed: LogPosition;
    }
  | { readonly type: "commit"; readonly epoch: number; readonly committed: LogPosition }
  | {
      readonly type: "ping";
      readonly epoch: number;
      readonly round: number;
      readonly committed: LogPosition;
      /** What each member has acknowledged; every server stores it. */
      readonly acks: readonly { readonly member: number; readonly position: LogPosition }[];
    }
  | { readonly type: "answer"; readonly payload: Uint8Array };

export type LinkMessage = LearnerMessage | LeaderMessage;
