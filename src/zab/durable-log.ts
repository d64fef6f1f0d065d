/**
 * What ZAB needs of stable storage. Each durable step carries a rising write id, and the input `persisted(id)` is the
 * only proof that it, and every step before it, is on stable storage. Steps take effect in the order they are given;
 * steps of one turn go into one atomic commit; every method only enqueues. A step that fails ends the process.
 */

/** A transaction named so that it means something before it is committed: zxids above the commit point are reused. */
export interface LogPosition {
  readonly zxid: number;
  readonly epoch: number;
}

export interface EpochStep {
  readonly epoch: number;
  /** The last transaction of the history this epoch continues; zeros for none. */
  readonly last: LogPosition;
  readonly committed: LogPosition;
}

export interface AppendStep {
  /** Transactions in their canonical encoding, one after the other. Nobody changes them from here on. */
  readonly bytes: Uint8Array;
  readonly firstZxid: number;
  readonly lastZxid: number;
  /** Epoch of the last of them. */
  readonly epoch: number;
  /** Stored in the same commit. */
  readonly committed: LogPosition;
}

/** The one-time act of founding an ensemble, as each founder stores it before it votes. */
export interface Forming {
  /** 32 hexadecimal digits. */
  readonly clusterId: string;
  /** Ids of the founders, ascending. */
  readonly founders: readonly number[];
}

/** The highest committed transaction that a member is known to have acknowledged. */
export interface MemberAck {
  readonly member: number;
  readonly position: LogPosition;
}

export interface DurableLog {
  /** Promise to follow no epoch below this one. */
  acceptEpoch(write: number, epoch: number): void;
  /**
   * In one commit: the current epoch, and the boundary of the history it continues. This server is then neither
   * recovering nor installing; the mark of a founder stays until transaction 1 takes its place. The epoch may be the
   * current one again, when a learner comes back to its leader.
   */
  establishEpoch(write: number, step: EpochStep): void;
  /** Append transactions, contiguous after what is there, and move the stored commit point. */
  append(write: number, step: AppendStep): void;
  /** Cut off everything after this transaction. Never what is committed. */
  truncate(write: number, to: LogPosition): void;
  /** Move the stored commit point alone. */
  commit(write: number, point: LogPosition): void;
  /** Store what members have acknowledged: whoever comes back with less has lost data. */
  rememberAcks(write: number, acks: readonly MemberAck[]): void;
  /** Take part in founding an ensemble. Only in an empty log. */
  form(write: number, forming: Forming): void;
  /** This server has lost data that it acknowledged: until it is synchronized it counts nowhere. */
  markRecovering(write: number, reason: string): void;
}

/** What recovery found on stable storage. */
export interface DurableState {
  /** "" where it is not known yet. */
  readonly clusterId: string;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** The last transaction logged, committed or not; zeros for none. */
  readonly last: LogPosition;
  /** The last transaction known to be committed. */
  readonly committed: LogPosition;
  /** The last transaction of each epoch that has any here, ascending; the last one is `last`. */
  readonly boundaries: readonly LogPosition[];
  /** The oldest transaction in the log; `last.zxid + 1` when it has none. */
  readonly logStart: number;
  /** Transactions logged beyond the commit point, in their canonical encoding; undefined for none. */
  readonly tail: Uint8Array | undefined;
  readonly forming: Forming | undefined;
  /** Why this server must not count until it is synchronized. */
  readonly recovering: string | undefined;
  readonly memberAcks: readonly MemberAck[];
}

/** Reads the log back, committed or not, to bring others up to date. */
export interface LogSource {
  /** The oldest transaction in the log; one above the last when it has none. Purging moves it up. */
  readonly oldestZxid: number;
  /**
   * Reads transactions after `after`, at most about `maxBytes` of them and at least one, and hands them over as the
   * input `logRead(ticket, …)`. Transactions appended before the call are found, durable or not.
   */
  readLog(ticket: number, after: number, maxBytes: number): void;
}

/** A contiguous piece of history. */
export interface HistoryPiece {
  /** Transactions in their canonical encoding. */
  readonly bytes: Uint8Array;
  readonly firstZxid: number;
  /** The last transaction of each epoch in it, ascending. */
  readonly boundaries: readonly LogPosition[];
}

/** Undefined when the log begins later than was asked for. */
export type LogReadResult = HistoryPiece | undefined;

/** A checkpoint that another server can install. */
export interface SnapshotOffer {
  /** Names it on the server that made it. */
  readonly id: string;
  readonly at: LogPosition;
  /** Length of the file, bytes. */
  readonly bytes: number;
  /** Digest of the tree, and the CRC of the log's chain as of `at`. */
  readonly digest: number;
  readonly chainCrc: number;
}

export interface SnapshotSource {
  /** Makes a checkpoint ready to be fetched; the input `snapshotReady(ticket, …)` names it. */
  prepareSnapshot(ticket: number): void;
  /**
   * Fetches a checkpoint from another server and installs it in place of the whole state. When that has succeeded, this
   * replica ends and another one recovers from the files; when not, the input `snapshotFailed(ticket)` says so.
   */
  installSnapshot(ticket: number, from: number, offer: SnapshotOffer, boundaries: readonly LogPosition[]): void;
}
