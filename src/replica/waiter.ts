/** Whoever waits for the outcome of a write. Told exactly once what became of it. */
import { refusal, type Refusal } from "../base/reasons.ts";
import type { Outcome } from "../sessions/session-table.ts";
import { refusalOfRow } from "../tree/detail.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { ReplySink } from "./ports.ts";

export interface Waiter {
  /**
   * The write has become this transaction, which is not committed yet. Returns whether that is all the waiter needs to
   * know: another server waits there until it has applied it.
   */
  proposed(zxid: number): boolean;
  /** The write was done before. Returns whether the waiter finds the transaction by itself. */
  repeated(outcome: Outcome): boolean;
  /** The transaction was committed; it may be one that says the request was refused. */
  committed(txn: Txn): void;
  /** It succeeded long ago, and the row is purged. */
  committedBefore(zxid: number, request: number): void;
  /** It was refused without a transaction. */
  refused(zxid: number, refusal: Refusal): void;
  /** It was proposed, and the leader lost its office: it may or may not have happened. `applied` is what is here. */
  lost(applied: number): void;
}

/** Two that wait for the same. */
export function both(first: Waiter, second: Waiter): Waiter {
  const waiters = [first, second];
  return {
    proposed: (zxid) => waiters.map((waiter) => waiter.proposed(zxid)).every(Boolean),
    repeated: () => false,
    committed: (txn) => {
      for (const waiter of waiters) waiter.committed(txn);
    },
    committedBefore: (zxid, request) => {
      for (const waiter of waiters) waiter.committedBefore(zxid, request);
    },
    refused: (zxid, problem) => {
      for (const waiter of waiters) waiter.refused(zxid, problem);
    },
    lost: (applied) => {
      for (const waiter of waiters) waiter.lost(applied);
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
export class CallWaiter implements Waiter {
  private readonly sink: ReplySink;
  private readonly call: number;
  private readonly session: number;
  private readonly seq: number;

  /** `session` and `seq`, where it has them, tell a caller what it can ask about. */
  constructor(sink: ReplySink, call: number, session = 0, seq = 0) {
    this.sink = sink;
    this.call = call;
    this.session = session;
    this.seq = seq;
  }

  proposed(): boolean {
    return false;
  }

  repeated(): boolean {
    return false;
  }

  committed(txn: Txn): void {
    answerCommitted(this.sink, this.call, txn);
  }

  committedBefore(zxid: number, request: number): void {
    this.sink.committedBefore(this.call, zxid, request);
  }

  refused(zxid: number, problem: Refusal): void {
    this.sink.refused(this.call, zxid, problem);
  }

  lost(applied: number): void {
    this.refused(applied, outcomeUnknown(this.session, this.seq));
  }
}

export function waiterOf(sink: ReplySink, call: number, session = 0, seq = 0): Waiter {
  return new CallWaiter(sink, call, session, seq);
}

/** What the caller of a write is told that was under way when the leader was lost. */
export function outcomeUnknown(session: number, seq: number): Refusal {
  const metadata: Record<string, string> = {};
  if (seq !== 0) metadata["seq"] = String(seq);
  if (session !== 0) metadata["session_id"] = String(session);
  return refusal("OUTCOME_UNKNOWN", "the leader was lost while the write was under way", metadata);
}

export function noLeader(): Refusal {
  return refusal("NO_LEADER", "no leader is known at the moment");
}
