/** What watches tell, and where they tell it. */
import type { Refusal } from "../base/reasons.ts";
import type { Stat } from "../tree/stat.ts";
import { OpKind, type TxnOp } from "../tree/txn.ts";

/** Kinds of watch events, numbered as in the contract. */
export const EventKind = { created: 1, dataChanged: 2, deleted: 3, childrenChanged: 4 } as const;

/** One change. One object serves every watch that sees it, so that sinks may encode it once. */
export interface WatchEvent {
  readonly kind: number;
  /** The znode concerned; of childrenChanged the parent. */
  readonly path: string;
  readonly zxid: number;
  readonly opIndex: number;
  /** The session that did it, or that ended; 0 for none. */
  readonly session: number;
  /** The row: Stat, data, cause. Of childrenChanged the child's row. */
  readonly op: TxnOp;
  readonly includeData: boolean;
}

/** Receives what watches tell. Nothing passed is valid after the call. */
export interface WatchSink {
  watchEvent(watchIds: readonly number[], event: WatchEvent): void;
  /** One znode of the current state. */
  watchState(watchId: number, path: string, stat: Stat, data: Uint8Array | null): void;
  /** Everything up to this row was sent. `synced`: the current state is complete. */
  watchCursor(watchId: number, zxid: number, opIndex: number, synced: boolean): void;
  /** The watch has ended by itself. */
  watchEnded(watchId: number, refusal: Refusal): void;
  /** Whether so much waits to be read that state and history should not be added to it. */
  backlogged(): boolean;
}

/** The event kind of a row; 0 when watches do not tell it. */
export function eventKindOf(op: TxnOp): number {
  switch (op.kind) {
    case OpKind.create:
      return EventKind.created;
    case OpKind.setData:
      return EventKind.dataChanged;
    case OpKind.delete:
      return EventKind.deleted;
    default:
      return 0;
  }
}
