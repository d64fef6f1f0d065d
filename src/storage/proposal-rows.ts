/**
 * Transactions as rows of the table `proposal`, one for each operation. Rows and canonical bytes are the same thing in
 * two forms: encoding what `readRows` returns gives the bytes that were split, bit for bit, and each row's `crc` proves
 * it. No other copy of a transaction is kept.
 *
 * Header columns are repeated on every row of a transaction, so that each row can be read alone.
 */
import type { Txn, TxnOp } from "../tree/txn.ts";
import { StorageError } from "./storage-error.ts";

/** A row as better-sqlite3 binds and returns it in raw mode. */
export type SqlValue = number | string | Uint8Array | null;
export type SqlRow = readonly SqlValue[];

/** The columns in their order in the table. The functions below know them by position. */
export const proposalColumns = `
  zxid         INTEGER NOT NULL,
  op           INTEGER NOT NULL,
  format       INTEGER NOT NULL,
  epoch        INTEGER NOT NULL,
  count        INTEGER NOT NULL,
  time         INTEGER NOT NULL,
  session      INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  acked        INTEGER NOT NULL,
  fingerprint  INTEGER NOT NULL,
  who          TEXT    NOT NULL,
  request      INTEGER NOT NULL,
  kind         INTEGER NOT NULL,
  cause        INTEGER NOT NULL,
  code         INTEGER NOT NULL,
  failed_op    INTEGER NOT NULL,
  mode         INTEGER NOT NULL,
  path         TEXT    NOT NULL,
  znode        INTEGER NOT NULL,
  parent       INTEGER NOT NULL,
  acl          INTEGER NOT NULL,
  new_acl      TEXT    NOT NULL,
  parent_acl   INTEGER NOT NULL,
  data         BLOB,
  data_crc     INTEGER NOT NULL,
  czxid        INTEGER NOT NULL,
  mzxid        INTEGER NOT NULL,
  pzxid        INTEGER NOT NULL,
  ctime        INTEGER NOT NULL,
  mtime        INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  aversion     INTEGER NOT NULL,
  owner        INTEGER NOT NULL,
  sequence     INTEGER NOT NULL,
  children     INTEGER NOT NULL,
  znode_kind   INTEGER NOT NULL,
  data_length  INTEGER NOT NULL,
  prev_zxid    INTEGER NOT NULL,
  detail       TEXT    NOT NULL,
  crc          INTEGER NOT NULL`;

/** Their names. */
export const proposalNames: readonly string[] = proposalColumns
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/\s/, 1)[0]!);

export const proposalInsert = `INSERT INTO proposal VALUES (${proposalNames.map(() => "?").join(", ")})`;
export const proposalSelect = `SELECT ${proposalNames.join(", ")} FROM proposal`;
/** The same with 1 in the place of data where there is none, 0 where there is some. */
export const proposalSelectWithoutData = proposalSelect.replace(" data,", " data IS NULL,");

/** What inserts a row; a prepared statement's `run`. */
export type InsertRow = (...values: SqlValue[]) => unknown;

/** Writes the row of one operation. Called for every write the server does: binds in place, makes nothing. */
export function insertRow(insert: InsertRow, format: number, txn: Txn, index: number, crc: number): void {
  const op = txn.ops[index]!;
  const { stat } = op;
  insert(
    txn.zxid,
    index,
    format,
    txn.epoch,
    txn.ops.length,
    txn.time,
    txn.session,
    txn.seq,
    txn.acked,
    txn.fingerprint,
    txn.who,
    txn.request,
    op.kind,
    op.cause,
    op.code,
    op.failedOp,
    op.mode,
    op.path,
    op.znode,
    op.parent,
    op.acl,
    op.newAcl,
    op.parentAcl,
    op.data,
    op.dataCrc,
    stat.czxid,
    stat.mzxid,
    stat.pzxid,
    stat.ctime,
    stat.mtime,
    stat.version,
    stat.aversion,
    stat.owner,
    stat.sequence,
    stat.children,
    stat.kind,
    stat.dataLength,
    op.prevZxid,
    op.detail,
    crc,
  );
}

/** A transaction read back, with the chain's CRC after each of its rows. */
export interface StoredTxn {
  readonly txn: Txn;
  readonly format: number;
  readonly crcs: readonly number[];
}

/**
 * Puts rows in the order of the key together to transactions. Rows of a transaction that is not complete yet are kept
 * for the next call; `finish` says whether any were left.
 */
export class TxnAssembler {
  private txn: Txn | undefined;
  private format = 0;
  private count = 0;
  private crcs: number[] = [];

  /** The transaction that this row completes, if it does. */
  add(row: SqlRow): StoredTxn | undefined {
    const zxid = row[0] as number;
    const index = row[1] as number;
    if (this.txn === undefined) {
      if (index !== 0) throw new StorageError("CORRUPT", `row 0 of transaction ${zxid} is missing`);
      this.txn = headerOf(row);
      this.format = row[2] as number;
      this.count = row[4] as number;
      this.crcs = [];
    }
    const { txn } = this;
    if (txn.zxid !== zxid || txn.ops.length !== index) {
      throw new StorageError("CORRUPT", `row ${txn.ops.length} of transaction ${txn.zxid} is missing`);
    }
    txn.ops.push(operationOf(row));
    this.crcs.push(row[39] as number);
    if (txn.ops.length < this.count) return undefined;
    this.txn = undefined;
    return { txn, format: this.format, crcs: this.crcs };
  }

  /** To be called after the last row. */
  finish(): void {
    if (this.txn === undefined) return;
    throw new StorageError("CORRUPT", `row ${this.txn.ops.length} of transaction ${this.txn.zxid} is missing`);
  }
}

/** The header of a transaction, from any of its rows. */
export function headerOf(row: SqlRow): Txn {
  return {
    zxid: row[0] as number,
    epoch: row[3] as number,
    time: row[5] as number,
    session: row[6] as number,
    seq: row[7] as number,
    acked: row[8] as number,
    fingerprint: row[9] as number,
    who: row[10] as string,
    request: row[11] as number,
    ops: [],
  };
}

export function operationOf(row: SqlRow): TxnOp {
  return {
    kind: row[12] as number,
    cause: row[13] as number,
    code: row[14] as number,
    failedOp: row[15] as number,
    mode: row[16] as number,
    path: row[17] as string,
    znode: row[18] as number,
    parent: row[19] as number,
    acl: row[20] as number,
    newAcl: row[21] as string,
    parentAcl: row[22] as number,
    data: row[23] as Uint8Array | null,
    dataCrc: row[24] as number,
    stat: {
      czxid: row[25] as number,
      mzxid: row[26] as number,
      pzxid: row[27] as number,
      ctime: row[28] as number,
      mtime: row[29] as number,
      version: row[30] as number,
      aversion: row[31] as number,
      owner: row[32] as number,
      sequence: row[33] as number,
      children: row[34] as number,
      kind: row[35] as number,
      dataLength: row[36] as number,
    },
    prevZxid: row[37] as number,
    detail: row[38] as string,
  };
}
