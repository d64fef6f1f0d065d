/** What a committed transaction does to the sessions. Used by the replica and by the checkpoint. */
import { parseOpening, parseTrim } from "../tree/detail.ts";
import { Cause, OpKind, type Txn } from "../tree/txn.ts";
import type { SessionTable } from "./session-table.ts";

/** Applies the session half of a transaction. Calls `changed` with every session it changed. */
export function applyToSessions(table: SessionTable, txn: Txn, changed?: (session: number) => void): void {
  const first = txn.ops[0]!;
  if (txn.seq > 0) {
    const session = table.get(txn.session);
    if (session !== undefined) {
      const { seq, fingerprint, zxid } = txn;
      session.record({ seq, fingerprint, zxid, code: first.code, failedOp: first.failedOp });
      if (txn.acked > session.acked) session.acknowledge(txn.acked);
      changed?.(txn.session);
    }
  }
  switch (first.kind) {
    case OpKind.openSession:
      table.open({ id: txn.zxid, ...parseOpening(first.detail) });
      changed?.(txn.zxid);
      return;
    case OpKind.closeSession:
      table.close(txn.session, { zxid: txn.zxid, time: txn.time, expired: first.cause === Cause.sessionExpired });
      changed?.(txn.session);
      return;
    case OpKind.trim:
      for (const [id, seq] of parseTrim(first.detail)) {
        const session = table.get(id);
        if (session === undefined) continue;
        session.acknowledge(seq);
        changed?.(id);
      }
      return;
    default:
      return;
  }
}
