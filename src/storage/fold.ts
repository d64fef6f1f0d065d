/**
 * Folds the committed log into tree.db, in steps that each leave it exactly as of one transaction.
 *
 * What follows a znode's last change is all that is written: within a step changes are gathered by znode, a thousand
 * writes to one znode become one row. A row's data is not even read unless it is the last. Most transactions set data,
 * so rows are scanned with few columns, and only where others are among them those are read once more, in full: one pass
 * over the log costs well under a microsecond for each write.
 *
 * The digest is carried along and must equal the tree's at the same transaction.
 */
import { crc32 } from "node:zlib";
import { applyToSessions } from "../sessions/apply.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { addChildTo, createdState, removeChildFrom, setAclOf, setDataOf, type ZnodeState } from "../tree/delta.ts";
import { DigestSum, znodeDigest } from "../tree/digest.ts";
import { nameOf } from "../tree/path.ts";
import { hashPath } from "../tree/path-index.ts";
import { blankOp } from "../tree/prepare.ts";
import { emptyStat } from "../tree/stat.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { Connection, Statement } from "./database.ts";
import { headerOf, operationOf, proposalSelectWithoutData, type SqlRow } from "./proposal-rows.ts";
import { readSessions, SessionRows } from "./session-rows.ts";
import { StorageError } from "./storage-error.ts";
import { readTreeState, rowChecksum, writeTreeState, znodeChecksum, znodeColumns } from "./tree-schema.ts";

/** Znodes written between two chances to pause: a few milliseconds. */
const znodesPerPause = 500;

/** A znode that this step changes. */
interface Dirty {
  readonly name: string;
  readonly pathHash: number;
  readonly state: ZnodeState;
  /** Its part of the digest in tree.db; undefined when it is not there. */
  readonly storedDigest: number | undefined;
  deleted: boolean;
  /** The row of the log that has its data; zxid 0: what is in tree.db stays. */
  dataZxid: number;
  dataOp: number;
}

/** Kinds of rows that are scanned with few columns: they say nothing that a thin row does not. */
const thinKinds: readonly number[] = [OpKind.setData, OpKind.check, OpKind.rejected];

const thinSelect = `SELECT zxid, op, kind, session, seq, acked, fingerprint, code, failed_op, znode, mtime, count
  FROM proposal WHERE zxid > ? AND zxid <= ? ORDER BY zxid, op LIMIT ?`;
const fullSelect = `${proposalSelectWithoutData}
  WHERE zxid > ? AND zxid <= ? AND kind NOT IN (${thinKinds.join(", ")}) ORDER BY zxid, op`;

export class Fold {
  private readonly tree: Connection;
  private readonly thinRows: Statement;
  private readonly fullRows: Statement;
  private readonly lastRow: Statement;
  private readonly dataOf: Statement;
  private readonly znode: Statement;
  private readonly putZnode: Statement;
  private readonly updateZnode: Statement;
  private readonly deleteZnode: Statement;
  private readonly putAcl: Statement;
  private readonly sessionRows: SessionRows;

  private readonly sessions: SessionTable;
  /** Tombstones in tree.db, oldest first. */
  private readonly storedTombstones: number[];
  private readonly digest = new DigestSum();
  private znodes: number;
  private nextZnode: number;
  private founding: string | null;

  private readonly dirty = new Map<number, Dirty>();
  private readonly dirtySessions = new Set<number>();
  private readonly newAcls = new Map<number, string>();
  private readonly markSession = (id: number): void => {
    this.dirtySessions.add(id);
  };
  /** For rows that matter to sessions only. */
  private readonly scratch: Txn;

  /** tree.db is the tree as of this transaction. */
  zxid: number;
  /** What was scanned, and waits to be written, goes up to here. */
  scanned: number;

  constructor(log: Connection, tree: Connection) {
    this.tree = tree;
    this.thinRows = log.prepare(thinSelect).raw(true);
    this.fullRows = log.prepare(fullSelect).raw(true);
    this.lastRow = log.prepare("SELECT epoch, time, crc FROM proposal WHERE zxid = ? ORDER BY op DESC LIMIT 1");
    this.dataOf = log.prepare("SELECT data, data_crc FROM proposal WHERE zxid = ? AND op = ?").raw(true);
    this.znode = tree
      .prepare(`SELECT ${znodeColumns.replace(" data,", " length(data),")} FROM znode WHERE id = ?`)
      .raw(true);
    this.putZnode = tree.prepare(`INSERT OR REPLACE INTO znode (${znodeColumns}) VALUES (${marks(20)})`);
    this.updateZnode = tree.prepare(
      `UPDATE znode SET acl = ?, row_zxid = ?, pzxid = ?, aversion = ?, sequence = ?, children = ?, checksum = ?
       WHERE id = ?`,
    );
    this.deleteZnode = tree.prepare("DELETE FROM znode WHERE id = ?");
    this.putAcl = tree.prepare("INSERT INTO acl (id, entries, checksum) VALUES (?, ?, ?)");
    this.sessionRows = new SessionRows(tree);
    const state = readTreeState(tree);
    this.zxid = state.zxid;
    this.scanned = state.zxid;
    this.znodes = state.znodes;
    this.nextZnode = state.nextZnode;
    this.founding = state.founding;
    this.digest.value = state.digest;
    this.sessions = readSessions(tree);
    this.storedTombstones = [...this.sessions.ended()].map((session) => session.id);
    this.scratch = { ...headerOf([]), ops: [blankOp(OpKind.check, "", emptyStat())] };
  }

  /** Znodes that the next write would touch. */
  get pending(): number {
    return this.dirty.size;
  }

  /**
   * Gathers what the transactions after the last ones scanned do, up to `upTo`, which is committed, or up to the last
   * one that is whole within this many rows.
   */
  scan(upTo: number, rows = Infinity): void {
    const from = this.scanned;
    let thin = this.thinRows.all(from, upTo, rows === Infinity ? -1 : rows) as SqlRow[];
    let end = upTo;
    if (thin.length >= rows) {
      end = wholeUpTo(thin);
      // One transaction alone may have more rows.
      if (end === from) thin = this.thinRows.all(from, (end = from + 1), -1) as SqlRow[];
    }
    let full: SqlRow[] | undefined;
    let nextFull = 0;
    let transactions = 0;
    for (const row of thin) {
      if ((row[0] as number) > end) break;
      if (thinKinds.includes(row[2] as number)) {
        transactions += this.applyThin(row);
        continue;
      }
      full ??= this.fullRows.all(from, end) as SqlRow[];
      transactions += this.applyFull(full[nextFull++]!);
    }
    if (transactions !== end - from) {
      throw new StorageError("CORRUPT", `transactions are missing from the log between ${from} and ${end}`);
    }
    this.scanned = end;
  }

  /**
   * Writes what was gathered: one transaction, after which tree.db is as of the last transaction scanned. The caller may
   * pause at each `yield`; nobody else waits for tree.db.
   */
  *write(): Generator<void, void> {
    if (this.scanned === this.zxid) return;
    const { epoch, time, crc } = this.lastRow.get(this.scanned) as { epoch: number; time: number; crc: number };
    this.tree.exec("BEGIN IMMEDIATE");
    try {
      yield* this.writeZnodes();
      for (const [id, entries] of this.newAcls) this.putAcl.run(id, entries, rowChecksum([id, entries]));
      this.writeSessions();
      const { znodes, nextZnode, founding } = this;
      const digest = this.digest.value;
      writeTreeState(this.tree, { zxid: this.scanned, epoch, crc, time, znodes, nextZnode, digest, founding });
      this.tree.exec("COMMIT");
    } finally {
      // Given up half way: this object no longer fits the file.
      if (this.tree.inTransaction) this.tree.exec("ROLLBACK");
    }
    this.dirty.clear();
    this.dirtySessions.clear();
    this.newAcls.clear();
    this.zxid = this.scanned;
  }

  // ---- scanning: each returns 1 for the first row of a transaction, else 0

  private applyThin(row: SqlRow): number {
    const [zxid, op, kind, session, seq, acked, fingerprint, code, failedOp, znode, mtime] = row as readonly number[];
    if (kind === OpKind.setData) {
      const dirty = this.changed(znode!);
      setDataOf(dirty.state, { zxid: zxid!, time: mtime!, data: null, dataCrc: 0 });
      dirty.dataZxid = zxid!;
      dirty.dataOp = op!;
    }
    if (op !== 0) return 0;
    if (seq! > 0) {
      const { scratch } = this;
      scratch.zxid = zxid!;
      scratch.session = session!;
      scratch.seq = seq!;
      scratch.acked = acked!;
      scratch.fingerprint = fingerprint!;
      scratch.ops[0]!.code = code!;
      scratch.ops[0]!.failedOp = failedOp!;
      applyToSessions(this.sessions, scratch, this.markSession);
    }
    return 1;
  }

  private applyFull(row: SqlRow): number {
    const zxid = row[0] as number;
    const index = row[1] as number;
    const op = operationOf(row);
    const hasData = (op.data as unknown as number) === 0;
    op.data = null;
    if (op.newAcl !== "") this.newAcls.set(op.acl, op.newAcl);
    switch (op.kind) {
      case OpKind.create: {
        const state = createdState(zxid, op);
        if (hasData) state.dataLength = op.stat.dataLength;
        const { path } = op;
        this.dirty.set(op.znode, {
          name: nameOf(path),
          pathHash: hashPath(path, path.length),
          state,
          storedDigest: undefined,
          deleted: false,
          dataZxid: zxid,
          dataOp: index,
        });
        addChildTo(this.changed(op.parent).state, zxid);
        this.znodes++;
        this.nextZnode = op.znode + 1;
        break;
      }
      case OpKind.delete:
        this.delete(op.znode);
        removeChildFrom(this.changed(op.parent).state, zxid);
        break;
      case OpKind.setAcl:
        setAclOf(this.changed(op.znode).state, zxid, op.acl);
        break;
      case OpKind.found:
        this.founding = op.detail;
        break;
      default:
        break;
    }
    if (index !== 0) return 0;
    applyToSessions(this.sessions, { ...headerOf(row), ops: [op] }, this.markSession);
    return 1;
  }

  private delete(id: number): void {
    const dirty = this.changed(id);
    // Created in this very step: it never gets into the file.
    if (dirty.storedDigest === undefined) this.dirty.delete(id);
    else dirty.deleted = true;
    this.znodes--;
  }

  /** A znode to be changed, read from tree.db at its first change in this step. */
  private changed(id: number): Dirty {
    const known = this.dirty.get(id);
    if (known !== undefined) {
      if (known.deleted) throw new StorageError("CORRUPT", `the log changes znode ${id} after its deletion`);
      return known;
    }
    const row = this.znode.get(id) as SqlRow | undefined;
    if (row === undefined)
      throw new StorageError("CORRUPT", `the log changes znode ${id}, which tree.db does not have`);
    const dirty = dirtyOf(row);
    this.dirty.set(id, dirty);
    return dirty;
  }

  // ---- writing

  private *writeZnodes(): Generator<void, void> {
    // In the order of ids: neighbours in the file.
    const ids = Float64Array.from(this.dirty.keys()).sort();
    let written = 0;
    for (const id of ids) {
      if (++written % znodesPerPause === 0) yield;
      const dirty = this.dirty.get(id)!;
      if (dirty.storedDigest !== undefined) this.digest.subtract(dirty.storedDigest);
      if (dirty.deleted) this.deleteZnode.run(id);
      else this.writeZnode(dirty);
    }
  }

  private writeZnode(dirty: Dirty): void {
    const { name, pathHash, state, dataZxid } = dirty;
    const { stat } = state;
    const data = dataZxid === 0 ? null : this.fetchData(dirty);
    const digest = znodeDigest(pathHash, state.id, state.acl, state.rowZxid, state.dataCrc, state.dataLength, stat);
    const checksum = znodeChecksum(digest, state.parent, name);
    this.digest.add(digest);
    const { pzxid, aversion, sequence, children } = stat;
    if (dataZxid === 0) {
      this.updateZnode.run(state.acl, state.rowZxid, pzxid, aversion, sequence, children, checksum, state.id);
      return;
    }
    this.putZnode.run(
      state.id,
      state.parent,
      name,
      data,
      state.dataCrc,
      state.acl,
      state.rowZxid,
      stat.czxid,
      stat.mzxid,
      pzxid,
      stat.ctime,
      stat.mtime,
      stat.version,
      aversion,
      stat.owner,
      sequence,
      children,
      stat.kind,
      pathHash,
      checksum,
    );
  }

  private fetchData(dirty: Dirty): Uint8Array | null {
    const [data, dataCrc] = this.dataOf.get(dirty.dataZxid, dirty.dataOp) as [Uint8Array | null, number];
    if (data !== null && crc32(data) !== dataCrc) {
      throw new StorageError("CORRUPT", `the data in row ${dirty.dataOp} of transaction ${dirty.dataZxid} is damaged`);
    }
    const { state } = dirty;
    state.dataLength = data === null ? -1 : data.length;
    state.dataCrc = dataCrc;
    state.stat.dataLength = data === null ? 0 : data.length;
    return data;
  }

  private writeSessions(): void {
    for (const id of this.dirtySessions) {
      const alive = this.sessions.get(id);
      const session = alive ?? this.sessions.tombstone(id);
      // Ended, and its tombstone forgotten, in this very step.
      if (session === undefined) this.sessionRows.delete(id);
      else this.sessionRows.write(session);
      if (alive === undefined && session !== undefined) this.storedTombstones.push(id);
    }
    // Tombstones are forgotten oldest first.
    while (this.storedTombstones.length > 0 && this.sessions.tombstone(this.storedTombstones[0]!) === undefined) {
      this.sessionRows.delete(this.storedTombstones.shift()!);
    }
  }
}

/** The last transaction whose rows are all there, given that only the end may be cut off. */
function wholeUpTo(thin: readonly SqlRow[]): number {
  const last = thin.at(-1)!;
  const [zxid, op, count] = [last[0] as number, last[1] as number, last[11] as number];
  return op === count - 1 ? zxid : zxid - 1;
}

function marks(count: number): string {
  return new Array(count).fill("?").join(", ");
}

function dirtyOf(row: SqlRow): Dirty {
  const dataLength = row[3] === null ? -1 : (row[3] as number);
  const state: ZnodeState = {
    id: row[0] as number,
    parent: row[1] as number,
    dataLength,
    dataCrc: row[4] as number,
    acl: row[5] as number,
    rowZxid: row[6] as number,
    stat: {
      czxid: row[7] as number,
      mzxid: row[8] as number,
      pzxid: row[9] as number,
      ctime: row[10] as number,
      mtime: row[11] as number,
      version: row[12] as number,
      aversion: row[13] as number,
      owner: row[14] as number,
      sequence: row[15] as number,
      children: row[16] as number,
      kind: row[17] as number,
      dataLength: Math.max(0, dataLength),
    },
  };
  const name = row[2] as string;
  const pathHash = row[18] as number;
  const storedDigest = znodeDigest(pathHash, state.id, state.acl, state.rowZxid, state.dataCrc, dataLength, state.stat);
  if (znodeChecksum(storedDigest, state.parent, name) !== row[19]) {
    throw new StorageError("CORRUPT", `znode ${state.id} in tree.db fails its checksum`);
  }
  return { name, pathHash, state, storedDigest, deleted: false, dataZxid: 0, dataOp: 0 };
}
