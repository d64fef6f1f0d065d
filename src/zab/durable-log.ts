/**
 * What ZAB needs of stable storage. Each step carries a rising write id, and the input `persisted(id)` is the only
 * proof that it, and every step before it, is on stable storage. Steps take effect in the order they are given; every
 * method only enqueues. A step that fails ends the process.
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
  /** Transactions in their canonical encoding, one after the other. They belong to the log from here on. */
  readonly bytes: Uint8Array;
  readonly firstZxid: number;
  readonly lastZxid: number;
  readonly epoch: number;
  /** Stored in the same commit. */
  readonly committed: LogPosition;
}

export interface DurableLog {
  /** Promise to follow no epoch below this one. */
  acceptEpoch(write: number, epoch: number): void;
  /** In one commit: the current epoch, and the boundary of the history it continues. */
  establishEpoch(write: number, step: EpochStep): void;
  /** Append transactions, contiguous after what is there, and move the stored commit point. */
  append(write: number, step: AppendStep): void;
  /** Move the stored commit point alone. */
  commit(write: number, point: LogPosition): void;
}
