/** Whoever waits for the outcome of a write. Told exactly once. */
import type { Refusal } from "../base/reasons.ts";
import { refusalOfRow } from "../tree/detail.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { ReplySink } from "./ports.ts";

export interface Waiter {
  /** The transaction was committed; it may be one that says the request was refused. */
  committed(txn: Txn): void;
  /** It succeeded long ago, and the row is purged. */
  committedBefore(zxid: number, request: number): void;
  /** It was refused without a transaction. */
  refused(zxid: number, refusal: Refusal): void;
}

/** Two that wait for the same. */
export function both(first: Waiter, second: Waiter): Waiter {
  return {
    committed: (txn) => {
      first.committed(txn);
      second.committed(txn);
    },
    committedBefore: (zxid, request) => {
      first.committedBefore(zxid, request);
      second.committedBefore(zxid, request);
    },
    refused: (zxid, problem) => {
      first.refused(zxid, problem);
      second.refused(zxid, problem);
    },
  };
}

/** Answers a call with its transaction. */
export function answerCommitted(sink: ReplySink, call: number, txn: Txn): void {
  const first = txn.ops[0]!;
  if (first.kind === OpKind.rejected) sink.refused(call, txn.zxid, refusalOfRow(first));
  else sink.committed(call, txn);
}

/** A call whose answer waits for nothing but its own outcome. */
export function waiterOf(sink: ReplySink, call: number): Waiter {
  return {
    committed: (txn) => {
      answerCommitted(sink, call, txn);
    },
    committedBefore: (zxid, request) => {
      sink.committedBefore(call, zxid, request);
    },
    refused: (zxid, refusal) => {
      sink.refused(call, zxid, refusal);
    },
  };
}
