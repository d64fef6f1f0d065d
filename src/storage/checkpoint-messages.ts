/** What the checkpoint's two threads say to each other. */

import type { Retention } from "./retention.ts";

/** When the checkpoint follows the log. */
export interface CheckpointPace {
  /** Fold when this many transactions behind, or when anything is this old. */
  readonly behindTransactions: number;
  readonly behindMs: number;
}

/** Replaying 25,000 transactions takes a twentieth of a second, two seconds of large ones half a second. */
export const defaultPace: CheckpointPace = { behindTransactions: 25_000, behindMs: 2000 };

export interface CheckpointWorkerData {
  readonly dataDir: string;
  readonly pace: CheckpointPace;
  readonly retention: Retention;
}

export type ToCheckpointWorker =
  /** Leave tree.db alone, because another checkpoint is to take its place; or go on. */
  | { readonly kind: "rest"; readonly rest: boolean }
  /** Make a copy of the checkpoint that another server can install, as of this transaction at least. */
  | { readonly kind: "copy"; readonly ticket: number; readonly least: number }
  | {
      readonly kind: "close";
      /** First fold everything up to the stored commit point. */
      readonly fold: boolean;
    };

/** tree.old.db as it was when it was verified, and what is in it. */
export interface CheckpointCopy {
  /** What tells the file from another one of that name. */
  readonly inode: number;
  readonly modifiedMs: number;
  readonly bytes: number;
  readonly zxid: number;
  readonly epoch: number;
  readonly crc: number;
  readonly digest: number;
}

export type FromCheckpointWorker =
  /** tree.db is durably as of this transaction. */
  | { readonly kind: "folded"; readonly zxid: number }
  /** Undefined when none can be made now. */
  | { readonly kind: "copied"; readonly ticket: number; readonly copy: CheckpointCopy | undefined }
  /** The log may be purged up to this transaction. */
  | { readonly kind: "purgeable"; readonly upTo: number }
  /** Rows of the log that recovery does not need, or the checkpoint, are damaged. */
  | { readonly kind: "damaged"; readonly message: string }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
