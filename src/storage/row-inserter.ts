/**
 * Inserts rows into the table `proposal`. Binding forty parameters costs more than SQLite's own work, so the row that
 * nearly every write has (one operation on a persistent znode that has no children and its first ACL) goes through a
 * statement in which the columns that are the same for all of them are written out, and eight such rows go at once.
 * What is stored is the same either way.
 */
import { txnFormat } from "../replica/txn-codec.ts";
import { ZnodeKind } from "../tree/stat.ts";
import { Cause, OpKind, type Txn } from "../tree/txn.ts";
import type { Connection } from "./database.ts";
import { insertRow, proposalInsert, proposalNames, type InsertRow, type SqlValue } from "./proposal-rows.ts";

/** Columns of a plain row that always have the same value. */
const fixed: ReadonlyMap<string, string> = new Map([
  ["op", "0"],
  ["format", String(txnFormat)],
  ["count", "1"],
  ["cause", String(Cause.request)],
  ["code", "0"],
  ["failed_op", "0"],
  ["new_acl", "''"],
  ["owner", "0"],
  ["sequence", "0"],
  ["children", "0"],
  ["aversion", "0"],
  ["znode_kind", String(ZnodeKind.persistent)],
  ["detail", "''"],
]);

const rowsAtOnce = 8;
const plainRow = `(${proposalNames.map((name) => fixed.get(name) ?? "?").join(", ")})`;
const plainBinds = proposalNames.length - fixed.size;

export class RowInserter {
  private readonly full: InsertRow;
  private readonly one: InsertRow;
  private readonly several: InsertRow;
  /** Values of plain rows that wait to be inserted, in the order of the columns that are bound. */
  private readonly values: SqlValue[] = [];

  constructor(db: Connection) {
    const prepare = (sql: string): InsertRow => {
      const statement = db.prepare(sql);
      return statement.run.bind(statement);
    };
    this.full = prepare(proposalInsert);
    this.one = prepare(`INSERT INTO proposal VALUES ${plainRow}`);
    this.several = prepare(`INSERT INTO proposal VALUES ${new Array(rowsAtOnce).fill(plainRow).join(", ")}`);
  }

  add(txn: Txn, index: number, crc: number): void {
    if (!isPlain(txn)) {
      insertRow(this.full, txnFormat, txn, index, crc);
      return;
    }
    this.gather(txn, crc);
    if (this.values.length === rowsAtOnce * plainBinds) this.insert(this.several);
  }

  /** Inserts what waits. To be called before the commit. */
  flush(): void {
    const { values } = this;
    for (let at = 0; at < values.length; at += plainBinds) this.one(...values.slice(at, at + plainBinds));
    this.values.length = 0;
  }

  private insert(run: InsertRow): void {
    run(...this.values);
    this.values.length = 0;
  }

  private gather(txn: Txn, crc: number): void {
    const op = txn.ops[0]!;
    const { stat } = op;
    this.values.push(
      txn.zxid,
      txn.epoch,
      txn.time,
      txn.session,
      txn.seq,
      txn.acked,
      txn.fingerprint,
      txn.who,
      txn.request,
      op.kind,
      op.mode,
      op.path,
      op.znode,
      op.parent,
      op.acl,
      op.parentAcl,
      op.data,
      op.dataCrc,
      stat.czxid,
      stat.mzxid,
      stat.pzxid,
      stat.ctime,
      stat.mtime,
      stat.version,
      stat.dataLength,
      op.prevZxid,
      crc,
    );
  }
}

/** Whether a transaction is one row with the fixed values. */
function isPlain(txn: Txn): boolean {
  if (txn.ops.length !== 1) return false;
  const op = txn.ops[0]!;
  if (op.kind !== OpKind.setData && op.kind !== OpKind.create) return false;
  const { stat } = op;
  return (
    op.cause === Cause.request &&
    op.code === 0 &&
    op.failedOp === 0 &&
    op.newAcl === "" &&
    op.detail === "" &&
    stat.owner === 0 &&
    stat.sequence === 0 &&
    stat.children === 0 &&
    stat.aversion === 0 &&
    stat.kind === ZnodeKind.persistent
  );
}
