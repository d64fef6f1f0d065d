/** Reading transactions back from log.db, in the order of zxids. */
import type { Connection } from "./database.ts";
import type { ChainPoint } from "./log-chain.ts";
import type { LogState } from "./log-state.ts";
import { proposalSelect, TxnAssembler, type SqlRow, type StoredTxn } from "./proposal-rows.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Transactions with zxids above `after` up to `upTo`. The read lasts as long as the generator is in use: a caller that
 * shares the log with its writer returns soon, because a read pins the WAL. Not verified: see LogChain.
 */
export function* scanLog(db: Connection, after: number, upTo: number): Generator<StoredTxn, void> {
  const rows = db.prepare(`${proposalSelect} WHERE zxid > ? AND zxid <= ? ORDER BY zxid, op`).raw(true);
  const assembler = new TxnAssembler();
  for (const row of rows.iterate(after, upTo)) {
    const stored = assembler.add(row as SqlRow);
    if (stored !== undefined) yield stored;
  }
  assembler.finish();
}

/** The chain right after the transaction `zxid`, from which a scan of what follows is verified. */
export function chainPointAt(db: Connection, state: LogState, zxid: number): ChainPoint {
  if (zxid === state.log_start - 1) return { zxid, epoch: state.log_start_epoch, crc: state.log_start_crc };
  const row = db.prepare("SELECT zxid, epoch, crc FROM proposal WHERE zxid = ? ORDER BY op DESC LIMIT 1").get(zxid);
  if (row === undefined) throw new StorageError("CORRUPT", `transaction ${zxid} is missing from the log`);
  return row as ChainPoint;
}
