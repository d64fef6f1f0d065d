/** What the checkpoint's two threads say to each other. */

import type { Retention } from "./retention.ts";

/** When the checkpoint follows the log. */
export interface CheckpointPace {
  /** Fold when this many transactions behind, or when anything is this old. */
  readonly behindTransactions: number;
  readonly behindMs: number;
}

export const defaultPace: CheckpointPace = { behindTransactions: 50_000, behindMs: 5000 };

export interface CheckpointWorkerData {
  readonly dataDir: string;
  readonly pace: CheckpointPace;
  readonly retention: Retention;
}

export interface ToCheckpointWorker {
  readonly kind: "close";
  /** First fold everything up to the stored commit point. */
  readonly fold: boolean;
}

export type FromCheckpointWorker =
  /** tree.db is durably as of this transaction. */
  | { readonly kind: "folded"; readonly zxid: number }
  /** The log may be purged up to this transaction. */
  | { readonly kind: "purgeable"; readonly upTo: number }
  /** Rows of the log that recovery does not need, or the checkpoint, are damaged. */
  | { readonly kind: "damaged"; readonly message: string }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
