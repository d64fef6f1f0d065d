/**
 * The durable log as steps on log.db: what the log worker does between BEGIN and COMMIT. Nothing here says that a step
 * is durable; only the return of `commit` does.
 */
import { ByteReader, DecodeError } from "../base/bytes.ts";
import { parseFounding } from "../tree/detail.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { AppendStep, EpochStep, LogPosition } from "../zab/durable-log.ts";
import type { Connection, Statement } from "./database.ts";
import { LogChain, type ChainPoint } from "./log-chain.ts";
import { chainPointAt } from "./log-scan.ts";
import { refreshView } from "./log-schema.ts";
import { RowInserter } from "./row-inserter.ts";
import { StorageError } from "./storage-error.ts";

/** The one row of the table `state`. */
export interface LogState {
  readonly cluster_id: string;
  readonly server_id: number;
  readonly accepted_epoch: number;
  readonly current_epoch: number;
  readonly committed_zxid: number;
  readonly committed_epoch: number;
  readonly base_zxid: number;
  readonly base_epoch: number;
  readonly base_crc: number;
  readonly base_digest: number;
  readonly log_start: number;
  readonly log_start_epoch: number;
  readonly log_start_crc: number;
  readonly install: string | null;
  readonly forming: string | null;
}

export function readLogState(db: Connection): LogState {
  const state = db.prepare("SELECT * FROM state").get() as LogState | undefined;
  if (state === undefined) throw new StorageError("CORRUPT", "log.db has no state");
  return state;
}

/** The last row logged; where there is none, the point the log starts from. */
export function readLastPoint(db: Connection, state: LogState): ChainPoint {
  const last = db.prepare("SELECT zxid, epoch, crc FROM proposal ORDER BY zxid DESC, op DESC LIMIT 1").get();
  if (last !== undefined) return last as ChainPoint;
  return { zxid: state.log_start - 1, epoch: state.log_start_epoch, crc: state.log_start_crc };
}

export class LogStore {
  private readonly db: Connection;
  private chain: LogChain;
  private logStart: number;
  private readonly inserter: RowInserter;
  private readonly addAcl: Statement;
  private readonly setCommitted: Statement;
  private readonly begin: Statement;
  private readonly end: Statement;
  private acceptedEpoch: number;
  private currentEpoch: number;
  private committed: LogPosition;
  private committedMoved = false;
  private readonly row = (txn: Txn, index: number, crc: number): void => this.appendRow(txn, index, crc);

  constructor(db: Connection) {
    this.db = db;
    refreshView(db);
    const state = readLogState(db);
    this.chain = new LogChain(readLastPoint(db, state));
    this.logStart = state.log_start;
    this.acceptedEpoch = state.accepted_epoch;
    this.currentEpoch = state.current_epoch;
    this.committed = { zxid: state.committed_zxid, epoch: state.committed_epoch };
    this.inserter = new RowInserter(db);
    this.addAcl = db.prepare("INSERT INTO acl (id, zxid, entries) VALUES (?, ?, ?)");
    this.setCommitted = db.prepare("UPDATE state SET committed_zxid = ?, committed_epoch = ?");
    this.begin = db.prepare("BEGIN IMMEDIATE");
    this.end = db.prepare("COMMIT");
  }

  /** The last transaction logged; durable after `commitBatch`. */
  get last(): LogPosition {
    return { zxid: this.chain.zxid, epoch: this.chain.epoch };
  }

  get committedZxid(): number {
    return this.committed.zxid;
  }

  beginBatch(): void {
    this.begin.run();
  }

  /** Syncs everything since `beginBatch` to stable storage, the commit point with it. */
  commitBatch(): void {
    this.inserter.flush();
    if (this.committedMoved) this.setCommitted.run(this.committed.zxid, this.committed.epoch);
    this.committedMoved = false;
    this.end.run();
  }

  acceptEpoch(epoch: number): void {
    if (epoch < this.acceptedEpoch) {
      throw new StorageError("CORRUPT", `epoch ${epoch} is accepted after epoch ${this.acceptedEpoch}`);
    }
    this.acceptedEpoch = epoch;
    this.db.prepare("UPDATE state SET accepted_epoch = ?").run(epoch);
  }

  establishEpoch(step: EpochStep): void {
    if (step.epoch < this.acceptedEpoch || step.epoch <= this.currentEpoch) {
      throw new StorageError("CORRUPT", `epoch ${step.epoch} is established after epoch ${this.acceptedEpoch}`);
    }
    if (step.last.zxid !== this.chain.zxid || step.last.epoch !== this.chain.epoch) {
      throw new StorageError("CORRUPT", `epoch ${step.epoch} continues another history than the one logged`);
    }
    this.acceptedEpoch = step.epoch;
    this.currentEpoch = step.epoch;
    this.db.prepare("UPDATE state SET accepted_epoch = @epoch, current_epoch = @epoch").run({ epoch: step.epoch });
    if (step.last.epoch > 0) this.addBoundary(step.last);
    this.moveCommitted(step.committed);
  }

  private addBoundary(last: LogPosition): void {
    this.db.prepare("INSERT OR REPLACE INTO epoch (epoch, last_zxid) VALUES (?, ?)").run(last.epoch, last.zxid);
  }

  append(step: AppendStep): void {
    if (step.firstZxid !== this.chain.zxid + 1) {
      throw new StorageError("CORRUPT", `transaction ${step.firstZxid} is appended after ${this.chain.zxid}`);
    }
    const reader = new ByteReader(step.bytes);
    try {
      while (!reader.done) this.chain.follow(reader, step.bytes, this.row);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new StorageError("CORRUPT", `an appended transaction is malformed: ${error.message}`, { cause: error });
    }
    if (step.lastZxid !== this.chain.zxid) {
      throw new StorageError("CORRUPT", `${step.lastZxid} was to be the last transaction, not ${this.chain.zxid}`);
    }
    this.moveCommitted(step.committed);
  }

  private appendRow(txn: Txn, index: number, crc: number): void {
    this.inserter.add(txn, index, crc);
    const op = txn.ops[index]!;
    if (op.newAcl !== "") this.addAcl.run(op.acl, txn.zxid, op.newAcl);
    if (op.kind === OpKind.found) {
      this.db.prepare("UPDATE state SET cluster_id = ?").run(parseFounding(op.detail).clusterId);
    }
  }

  /** Moves the commit point, stored with the next commit. It never goes back. */
  moveCommitted(point: LogPosition): void {
    if (point.zxid > this.chain.zxid) {
      throw new StorageError("CORRUPT", `transaction ${point.zxid} is committed but ${this.chain.zxid} is the last`);
    }
    if (point.zxid < this.committed.zxid) return;
    if (point.zxid === this.committed.zxid && point.epoch <= this.committed.epoch) return;
    this.committed = point;
    this.committedMoved = true;
  }

  /** The oldest transaction in the log. */
  get oldestZxid(): number {
    return this.logStart;
  }

  /** Removes the oldest transactions up to `upTo`, in a batch. What remains is verified from the new start. */
  purge(upTo: number): void {
    if (upTo < this.logStart) return;
    if (upTo >= this.committed.zxid) throw new StorageError("CORRUPT", "the log is not purged up to its commit point");
    const { epoch, crc } = chainPointAt(this.db, readLogState(this.db), upTo);
    this.db.prepare("DELETE FROM proposal WHERE zxid <= ?").run(upTo);
    this.db.prepare("UPDATE state SET log_start = ?, log_start_epoch = ?, log_start_crc = ?").run(upTo + 1, epoch, crc);
    this.logStart = upTo + 1;
  }

  /**
   * Cuts off everything after `zxid`, in a batch: a leader's history does not have it. Never what is committed. The
   * watermark must be below the cut, durably, before this.
   */
  truncate(zxid: number): void {
    this.inserter.flush();
    if (zxid < this.committed.zxid) {
      throw new StorageError(
        "CORRUPT",
        `a truncation to ${zxid} would cut committed transaction ${this.committed.zxid}`,
      );
    }
    const point = chainPointAt(this.db, readLogState(this.db), zxid);
    this.db.prepare("DELETE FROM proposal WHERE zxid > ?").run(zxid);
    this.db.prepare("DELETE FROM acl WHERE zxid > ?").run(zxid);
    this.db.prepare("DELETE FROM epoch WHERE last_zxid > ?").run(zxid);
    this.chain = new LogChain(point);
  }

  close(): void {
    this.db.close();
  }
}
