/**
 * What a replica needs from the world. Every method only enqueues: it returns at once, and what comes of it arrives
 * later as an input of the replica. The process shell implements these with SQLite workers and gRPC; the simulator
 * with a fake disk and a fake network.
 */
import type { Refusal } from "../base/reasons.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import type { Acl, Identity } from "../tree/acl.ts";
import type { Founding } from "../tree/detail.ts";
import type { Stat } from "../tree/stat.ts";
import type { Tree } from "../tree/tree.ts";
import type { Txn } from "../tree/txn.ts";
import type { WatchSink } from "../watches/watch-event.ts";
import type { DurableState } from "../zab/durable-log.ts";

export type { AppendStep, DurableLog as LogPort, EpochStep, LogPosition as CommitPoint } from "../zab/durable-log.ts";

/** What recovery hands to a new replica: the state as of the commit point, and what consensus goes on from. */
export interface Recovered {
  /** Epochs, positions, the pending tail and the marks of exceptional states. */
  readonly durable: DurableState;
  /** Cluster id, members and feature level; undefined as long as transaction 1 is not committed here. */
  readonly founding: Founding | undefined;
  /** The replicated state exactly as of `durable.committed`. It belongs to the replica from here on. */
  readonly tree: Tree;
  readonly sessions: SessionTable;
  /** The newest time in the log, the tail included; time never goes back. */
  readonly lastTime: number;
}

/**
 * Where answers go: one sink for each session stream or unary call. `call` is the number the request was submitted
 * with. Everything passed is valid only during the call: a sink that needs it longer encodes it at once.
 */
export interface ReplySink {
  /** A write that succeeded. */
  committed(call: number, txn: Txn): void;
  /** A write that succeeded long ago, whose row is purged: only this is known. `request` is its RequestKind. */
  committedBefore(call: number, zxid: number, request: number): void;
  /** A request that failed. `zxid` is the transaction that says so, or the last one applied. */
  refused(call: number, zxid: number, refusal: Refusal): void;
  exists(call: number, zxid: number, stat: Stat | null): void;
  data(call: number, zxid: number, data: Uint8Array | null, stat: Stat): void;
  children(call: number, zxid: number, page: ChildrenPage): void;
  count(call: number, zxid: number, count: number): void;
  ephemerals(call: number, zxid: number, page: PathsPage): void;
  acl(call: number, zxid: number, acl: Acl, stat: Stat): void;
  multiRead(call: number, zxid: number, results: readonly ReadResult[]): void;
  /** A request whose whole answer is that it was done. */
  done(call: number, zxid: number, what: DoneKind): void;
  identities(call: number, zxid: number, identities: readonly Identity[], session: number): void;
}

export type DoneKind = "sync" | "addWatch" | "cancelWatch";

/** What only a session stream can receive. */
export interface SessionSink extends ReplySink, WatchSink {
  attached(terms: { timeoutMs: number; lastSeq: number; remainingMs: number }): void;
  heartbeat(id: number, remainingMs: number): void;
  /** The stream ends; nothing follows. */
  ended(refusal: Refusal): void;
  /** The stream ends in good order, because a request of its own closed the session; nothing follows. */
  closed(): void;
}

export interface ChildrenPage {
  readonly children: readonly ChildRow[];
  /** Name after which the next page begins; "" when this was the last. */
  readonly nextAfter: string;
  readonly stat: Stat;
}

export interface ChildRow {
  readonly name: string;
  /** Null where it was not asked for or may not be read. */
  readonly stat: Stat | null;
  readonly data: Uint8Array | null;
}

export interface PathsPage {
  readonly paths: readonly string[];
  /** Path after which the next page begins; "" when this was the last. */
  readonly nextAfter: string;
}

export type ReadResult =
  | { readonly kind: "data"; readonly data: Uint8Array | null; readonly stat: Stat }
  | { readonly kind: "children"; readonly page: ChildrenPage }
  | { readonly kind: "exists"; readonly stat: Stat | null }
  | { readonly kind: "acl"; readonly acl: Acl; readonly stat: Stat }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** Reads committed transactions back from the log. */
export interface HistoryPort {
  /**
   * Reads the transactions with zxids above `after` up to `upTo`, at most about `maxBytes` of them, and hands them over
   * as the input `historyRead(ticket, …)`.
   */
  readAfter(ticket: number, after: number, upTo: number, maxBytes: number): void;
}

/** What a read of the history found. */
export type HistoryResult =
  /** Contiguous from the first asked for. Fewer than asked for when `maxBytes` was reached, never none. */
  | { readonly kind: "read"; readonly txns: readonly Txn[] }
  /** The log begins later; its oldest transaction is `oldestZxid`. */
  | { readonly kind: "truncated"; readonly oldestZxid: number };
