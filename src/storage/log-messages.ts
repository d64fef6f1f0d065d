/** What the log's two threads say to each other. */
import type { AppendStep, EpochStep, LogPosition } from "../zab/durable-log.ts";

/** A durable step and its write id. */
export type LogStep =
  | { readonly kind: "append"; readonly write: number; readonly step: AppendStep }
  | { readonly kind: "acceptEpoch"; readonly write: number; readonly epoch: number }
  | { readonly kind: "establishEpoch"; readonly write: number; readonly step: EpochStep }
  | { readonly kind: "commit"; readonly write: number; readonly point: LogPosition };

export type ToLogWorker =
  | { readonly kind: "open"; readonly dataDir: string }
  | { readonly kind: "steps"; readonly steps: readonly LogStep[] }
  /** Remove the oldest transactions up to this one, at leisure. */
  | { readonly kind: "purge"; readonly upTo: number }
  | { readonly kind: "close" };

export type FromLogWorker =
  | { readonly kind: "opened"; readonly oldestZxid: number }
  | { readonly kind: "purged"; readonly oldestZxid: number }
  /** This step and all before it are on stable storage. */
  | { readonly kind: "persisted"; readonly write: number }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | { readonly kind: "closed" };
