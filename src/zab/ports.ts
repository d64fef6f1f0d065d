/** What a peer needs from the world, and what it tells the state machine above it. Every method only enqueues. */
import type { DurableLog, LogSource, SnapshotSource } from "./durable-log.ts";
import type { LinkMessage, Notification } from "./message.ts";

export interface Member {
  readonly id: number;
  /** Observers get everything and count nowhere. */
  readonly voter: boolean;
}

export interface PeerConfig {
  readonly self: number;
  /** The members as configured; those in the log count once it has any. */
  readonly members: readonly Member[];
  /** The id for a new ensemble, should this server be the one that chooses: 32 hexadecimal digits. */
  readonly newClusterId: string;
  /** Interval of the input `tick`, milliseconds. */
  readonly tickMs: number;
  readonly timeouts?: Partial<PeerTimeouts>;
  /** Bytes of recent history kept in memory for servers that lag a little. */
  readonly windowBytes?: number;
  /** Bytes of history in one piece of a DIFF. */
  readonly pieceBytes?: number;
}

/** Milliseconds. */
export interface PeerTimeouts {
  /** Between two pings, and between two notifications of a server that is looking. */
  readonly pingMs: number;
  /** Between two notifications of a server that is not looking. */
  readonly gossipMs: number;
  /** A server not heard of for this long is not counted on. */
  readonly hearMs: number;
  /** A leader that does not hear a quorum, or a learner its leader, for this long goes back to looking. */
  readonly syncMs: number;
  /** The longest time from an election to an established leader. */
  readonly initMs: number;
  /** A leader whose oldest write is not durable after this long steps down. */
  readonly stallMs: number;
}

export const defaultTimeouts: PeerTimeouts = {
  pingMs: 100,
  gossipMs: 250,
  hearMs: 1000,
  syncMs: 1000,
  initMs: 2000,
  stallMs: 3000,
};

export interface PeerNetwork {
  /** Sends to another member, best effort. A newer one replaces one that was not sent yet. */
  notify(to: number, notification: Notification): void;
  /**
   * Opens a link to a member and returns its number, which is never used again. What is sent before it is open waits.
   * Its messages and its end come as the inputs `linkReceived` and `linkClosed`.
   */
  connect(to: number): number;
  send(link: number, message: LinkMessage): void;
  /** Ends a link; it is not heard of again. */
  close(link: number): void;
}

export interface PeerPorts {
  readonly log: DurableLog;
  readonly source: LogSource;
  readonly snapshots: SnapshotSource;
  readonly network: PeerNetwork;
}

/** The state machine that transactions are for. */
export interface PeerHost {
  /**
   * These transactions are committed, and durable here. They are to be applied, in order. `bytes` is valid during the
   * call only.
   */
  deliver(bytes: Uint8Array, firstZxid: number, lastZxid: number): void;
  /** This server leads: the whole history was delivered, and it may propose from here on. */
  leading(epoch: number): void;
  /** This server is up to date with an established leader, and may serve. */
  following(leader: number, epoch: number): void;
  /** This server has neither; what it proposed, or asked its leader, may or may not have happened. */
  looking(): void;
  /** Leading: a learner has something to ask; following: the leader has. */
  received(from: number, payload: Uint8Array): void;
  /** Leading: this learner is up to date; it is gone. */
  learnerJoined(member: number): void;
  learnerLeft(member: number): void;
}
