/**
 * The durable log as steps on log.db: what the log worker does between BEGIN and COMMIT. Nothing here says that a step
 * is durable; only the return of `commit` does.
 */
import { ByteReader, DecodeError } from "../base/bytes.ts";
import { parseFounding } from "../tree/detail.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { AppendStep, EpochStep, Forming, LogPosition, MemberAck } from "../zab/durable-log.ts";
import type { Connection, Statement } from "./database.ts";
import { LogChain, type ChainPoint } from "./log-chain.ts";
import { chainPointAt } from "./log-scan.ts";
import { refreshView } from "./log-schema.ts";
import { cutAfter, readLastPoint, readLogState, startFrom, type LogBase } from "./log-state.ts";
import { RowInserter } from "./row-inserter.ts";
import { StorageError } from "./storage-error.ts";

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
  /** The epoch of the last row. */
  private lastEpoch: number;
  private clusterId: string;
  private recovering: boolean;
  private readonly row = (txn: Txn, index: number, crc: number): void => this.appendRow(txn, index, crc);

  constructor(db: Connection) {
    this.db = db;
    refreshView(db);
    const state = readLogState(db);
    this.chain = new LogChain(readLastPoint(db, state));
    this.logStart = state.log_start;
    this.lastEpoch = this.chain.epoch;
    this.clusterId = state.cluster_id;
    this.recovering = state.recovering !== null;
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

  /** Whether acknowledged transactions are known to be missing. */
  get isRecovering(): boolean {
    return this.recovering;
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

  /** Ends every exceptional state: what is logged here is the beginning of this epoch's history, whole. */
  establishEpoch(step: EpochStep): void {
    const { epoch, last } = step;
    if (epoch < this.acceptedEpoch || epoch < this.currentEpoch) {
      throw new StorageError("CORRUPT", `epoch ${epoch} is established after epoch ${this.acceptedEpoch}`);
    }
    if (last.zxid !== this.chain.zxid || last.epoch !== this.chain.epoch) {
      throw new StorageError("CORRUPT", `epoch ${epoch} continues another history than the one logged`);
    }
    this.acceptedEpoch = epoch;
    this.currentEpoch = epoch;
    this.recovering = false;
    this.db
      .prepare(
        `UPDATE state SET accepted_epoch = @epoch, current_epoch = @epoch,
           forming = NULL, recovering = NULL, install = NULL`,
      )
      .run({ epoch });
    this.moveCommitted(step.committed);
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
    if (step.epoch !== this.chain.epoch) {
      throw new StorageError("CORRUPT", `transaction ${step.lastZxid} was to be of epoch ${step.epoch}`);
    }
    this.moveCommitted(step.committed);
  }

  private appendRow(txn: Txn, index: number, crc: number): void {
    if (txn.epoch !== this.lastEpoch) this.endEpoch(txn);
    this.inserter.add(txn, index, crc);
    const op = txn.ops[index]!;
    if (op.newAcl !== "") this.addAcl.run(op.acl, txn.zxid, op.newAcl);
    if (op.kind === OpKind.found) this.setClusterId(parseFounding(op.detail).clusterId);
  }

  /** The first transaction of another epoch says where the one before ended. */
  private endEpoch(first: Txn): void {
    if (this.lastEpoch > 0) {
      this.db.prepare("INSERT INTO epoch (epoch, last_zxid) VALUES (?, ?)").run(this.lastEpoch, first.zxid - 1);
    }
    this.lastEpoch = first.epoch;
  }

  private setClusterId(clusterId: string): void {
    if (this.clusterId !== "" && this.clusterId !== clusterId) {
      throw new StorageError("CORRUPT", `a log of cluster ${this.clusterId} is given history of cluster ${clusterId}`);
    }
    this.clusterId = clusterId;
    this.db.prepare("UPDATE state SET cluster_id = ?").run(clusterId);
  }

  /** Only upwards: what was acknowledged once stays acknowledged. */
  rememberAcks(acks: readonly MemberAck[]): void {
    const remember = this.db.prepare(
      `INSERT INTO member_ack (member, zxid, epoch) VALUES (?, ?, ?)
       ON CONFLICT (member) DO UPDATE SET zxid = excluded.zxid, epoch = excluded.epoch
       WHERE excluded.zxid > member_ack.zxid`,
    );
    for (const { member, position } of acks) remember.run(member, position.zxid, position.epoch);
  }

  form(forming: Forming): void {
    if (this.chain.zxid !== 0) {
      throw new StorageError("CORRUPT", `an ensemble is formed with ${this.chain.zxid} transactions logged`);
    }
    this.setClusterId(forming.clusterId);
    this.db.prepare("UPDATE state SET forming = ?").run(JSON.stringify(forming));
  }

  markRecovering(reason: string): void {
    this.recovering = true;
    this.db.prepare("UPDATE state SET recovering = ?").run(reason);
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
   * Cuts off everything after `to`, in a batch: a leader's history does not have it. Never what is committed, which
   * includes the checkpoint. The watermark must be no higher than the cut, durably, before this.
   */
  truncate(to: LogPosition): void {
    this.inserter.flush();
    const { zxid } = to;
    if (zxid < this.committed.zxid) {
      throw new StorageError(
        "CORRUPT",
        `a truncation to ${zxid} would cut committed transaction ${this.committed.zxid}`,
      );
    }
    const point = chainPointAt(this.db, readLogState(this.db), zxid);
    if (point.epoch !== to.epoch) {
      const known = `transaction ${zxid} is of epoch ${point.epoch}`;
      throw new StorageError("CORRUPT", `a truncation to ${zxid} of epoch ${to.epoch}, but ${known}`);
    }
    cutAfter(this.db, zxid);
    this.continueFrom(point);
  }

  /**
   * In a batch: the log begins anew after a checkpoint, and a mark says that it is being installed. The watermark must be
   * no higher than the checkpoint, durably, before this.
   */
  install(base: LogBase): void {
    this.inserter.flush();
    // A server that has lost data may have to go back further, because it counts nowhere until it has caught up.
    if (base.zxid < this.committed.zxid && !this.recovering) {
      const problem = `a checkpoint as of ${base.zxid} would take back committed transaction ${this.committed.zxid}`;
      throw new StorageError("CORRUPT", problem);
    }
    if (this.clusterId !== "" && this.clusterId !== base.clusterId) {
      const problem = `a server of cluster ${this.clusterId} is given a checkpoint of cluster ${base.clusterId}`;
      throw new StorageError("CORRUPT", problem);
    }
    startFrom(this.db, base);
    const { zxid, epoch } = base;
    this.db.prepare("UPDATE state SET install = ?").run(JSON.stringify({ zxid, epoch }));
    this.clusterId = base.clusterId;
    this.committed = { zxid, epoch };
    this.committedMoved = false;
    this.logStart = zxid + 1;
    this.continueFrom(base);
  }

  private continueFrom({ zxid, epoch, crc }: ChainPoint): void {
    this.chain = new LogChain({ zxid, epoch, crc });
    this.lastEpoch = epoch;
  }

  close(): void {
    this.db.close();
  }
}
