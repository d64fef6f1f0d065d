/** What the log's two threads say to each other. */
import type { AppendStep, EpochStep, Forming, LogPosition, MemberAck } from "../zab/durable-log.ts";
import type { LogBase } from "./log-state.ts";

/** A durable step and its write id. */
export type LogStep =
  | { readonly kind: "append"; readonly write: number; readonly step: AppendStep }
  | { readonly kind: "acceptEpoch"; readonly write: number; readonly epoch: number }
  | { readonly kind: "establishEpoch"; readonly write: number; readonly step: EpochStep }
  | { readonly kind: "commit"; readonly write: number; readonly point: LogPosition }
  | { readonly kind: "truncate"; readonly write: number; readonly to: LogPosition }
  | { readonly kind: "rememberAcks"; readonly write: number; readonly acks: readonly MemberAck[] }
  | { readonly kind: "form"; readonly write: number; readonly forming: Forming }
  | { readonly kind: "markRecovering"; readonly write: number; readonly reason: string };

export type ToLogWorker =
  | { readonly kind: "open"; readonly dataDir: string }
  | { readonly kind: "steps"; readonly steps: readonly LogStep[] }
  /** Remove the oldest transactions up to this one, at leisure. */
  | { readonly kind: "purge"; readonly upTo: number }
  /** Begin anew after a checkpoint. Every step has been written before, and none follows. */
  | { readonly kind: "install"; readonly base: LogBase }
  | { readonly kind: "close" };

export type FromLogWorker =
  | { readonly kind: "opened"; readonly oldestZxid: number }
  | { readonly kind: "purged"; readonly oldestZxid: number }
  /** This step and all before it are on stable storage. */
  | { readonly kind: "persisted"; readonly write: number }
  /** The log begins after the checkpoint, on stable storage. */
  | { readonly kind: "installed" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | { readonly kind: "closed" };
