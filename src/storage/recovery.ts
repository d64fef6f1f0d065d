/**
 * What a server starts with: the checkpoint, the committed transactions after it, and the pending tail.
 *
 *   1. The tail of the log is made durable anew. After a failed sync the page cache may hold what the disk does not, and
 *      this process is about to vote and acknowledge on the strength of it.
 *   2. The log must reach the watermark, or acknowledged transactions are missing.
 *   3. A checkpoint whose installation a crash interrupted takes its place; see install.ts.
 *   4. The chain is verified from the checkpoint to the end, while the state is rebuilt.
 *
 * What to do about losses and damage is decided in losses.ts.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ByteReader, ByteWriter, DecodeError } from "../base/bytes.ts";
import type { Recovered } from "../replica/ports.ts";
import { decodeTxn } from "../replica/txn-codec.ts";
import { applyToSessions } from "../sessions/apply.ts";
import { parseFounding, type Founding } from "../tree/detail.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import { areBoundaries } from "../zab/boundaries.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import { emptyWal, openForWriting, type Connection } from "./database.ts";
import { finishInstallation, isBase } from "./install.ts";
import type { ChainPoint } from "./log-chain.ts";
import { chainPointAt } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import {
  cutAfter,
  readBoundaries,
  readForming,
  readInstalling,
  readLastPoint,
  readLogState,
  readMemberAcks,
  startFrom,
  type LogState,
} from "./log-state.ts";
import { logTail } from "./log-tail.ts";
import { Losses, type LossOptions } from "./losses.ts";
import { PlainSets } from "./plain-sets.ts";
import { putCheckpointsAside, putLogAside } from "./put-aside.ts";
import { findStart, type Start } from "./recovery-checkpoint.ts";
import { asDamage, StorageError } from "./storage-error.ts";
import type { TreeState } from "./tree-schema.ts";
import { Watermark } from "./watermark.ts";

export interface RecoveryOptions extends LossOptions {
  readonly serverId: number;
}

export interface Recovery {
  readonly recovered: Recovered;
  /** tree.db is the tree as of this transaction. */
  readonly checkpointZxid: number;
}

export async function recover(options: RecoveryOptions): Promise<Recovery> {
  const losses = new Losses(options);
  // In an ensemble, what cannot be used makes way until what is left can; with nothing left it begins empty.
  for (const putAside of options.ensemble ? [putLogAside, putCheckpointsAside] : []) {
    try {
      return await attempt(options, losses);
    } catch (error) {
      const problem = asDamage(error, options.dataDir);
      if (problem === undefined) throw error;
      losses.damaged(problem);
      putAside(options.dataDir, losses);
    }
  }
  return attempt(options, losses);
}

async function attempt(options: RecoveryOptions, losses: Losses): Promise<Recovery> {
  const replayed = await withLog(options, (db) => replay(db, options, losses));
  // The replay may have dropped the locks of its connection: see log-tail.ts. What is written goes through another one.
  const recovered = await withLog(options, (db) => store(db, replayed, losses, options));
  return { recovered, checkpointZxid: replayed.checkpointZxid };
}

async function withLog<Result>(
  { dataDir }: RecoveryOptions,
  use: (db: Connection) => Result | Promise<Result>,
): Promise<Result> {
  const db = openForWriting(join(dataDir, "log.db"), logFile, { cacheKiB: 16384 });
  try {
    return await use(db);
  } finally {
    db.close();
  }
}

async function replay(db: Connection, options: RecoveryOptions, losses: Losses): Promise<Replayed> {
  const { dataDir } = options;
  claim(db, options);
  makeDurableAnew(db);
  const state = readLogState(db);
  const last = readLastPoint(db, state);
  checkMarks(state, options, losses);
  checkWatermark(last, options, losses);
  const installing = readInstalling(state);
  finishInstallation(dataDir, installing);
  const start = await findStart({
    dataDir,
    fromScratch: state.log_start === 1,
    onDamage: (error) => options.onDamage(error),
    check: (tree) => {
      if (installing !== undefined && !isBase(tree, installing)) {
        throw new StorageError("CORRUPT", "tree.db is not the checkpoint that was being installed");
      }
      // The checkpoint holds only what was committed: a log that ends before it has lost transactions.
      if (tree.zxid > last.zxid) losses.missing(missingTransactions(tree, last));
      else checkContinuation(db, state, tree);
    },
  });
  if (start.state.zxid > last.zxid) startOver(db, start);
  return new Replay(db, readLogState(db), start, losses).run();
}

/** The directory belongs to one server for good. */
function claim(db: Connection, options: RecoveryOptions): void {
  const state = readLogState(db);
  if (state.server_id === options.serverId) return;
  if (state.server_id !== 0) {
    const owner = `server ${state.server_id}, not server ${options.serverId}`;
    throw new StorageError("FOREIGN", `data directory ${options.dataDir} belongs to ${owner}`);
  }
  db.prepare("UPDATE state SET server_id = ?").run(options.serverId);
}

function makeDurableAnew(db: Connection): void {
  // A foreign reader may keep the WAL: its bytes are written once more, which makes them dirty, and synced.
  if (!emptyWal(db)) rewrite(`${db.name}-wal`);
}

function rewrite(path: string): void {
  const bytes = readFileSync(path);
  const file = openSync(path, "r+");
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at);
  fsyncSync(file);
  closeSync(file);
}

/** What an earlier life of this server knew to be missing. */
function checkMarks(state: LogState, options: RecoveryOptions, losses: Losses): void {
  if (state.recovering !== null) losses.remembered(state.recovering);
  if (state.install === null || options.ensemble) return;
  losses.missing("a checkpoint was being installed, and the transactions that follow it have not arrived");
}

function checkWatermark(last: LogPosition, options: RecoveryOptions, losses: Losses): void {
  const watermark = new Watermark(join(options.dataDir, "watermark"));
  try {
    const acked = watermark.current;
    if (watermark.isReachedBy(last)) return;
    losses.missing(missingTransactions(acked, last));
    // It was promised at least then.
    losses.acceptedEpoch = Math.max(losses.acceptedEpoch, acked.epoch);
    if (options.acceptLoss) watermark.lower({ zxid: last.zxid, epoch: last.epoch });
  } finally {
    watermark.close();
  }
}

function missingTransactions(known: LogPosition, last: LogPosition): string {
  const missing = known.zxid > last.zxid ? `${last.zxid + 1} to ${known.zxid}` : `up to ${known.zxid}`;
  const end = last.zxid === 0 ? "the log is empty" : `the log ends at ${last.zxid} of epoch ${last.epoch}`;
  return `acknowledged transactions are missing: ${missing} of epoch ${known.epoch} (${end})`;
}

/** The chain ties the two files together: both must have the same transactions up to the checkpoint. */
function checkContinuation(db: Connection, state: LogState, tree: TreeState): void {
  if (tree.zxid < state.log_start - 1) {
    throw new StorageError(
      "CORRUPT",
      `tree.db is as of transaction ${tree.zxid}, the log begins at ${state.log_start}`,
    );
  }
  const point = chainPointAt(db, state, tree.zxid);
  if (point.crc !== tree.crc || point.epoch !== tree.epoch) {
    throw new StorageError("CORRUPT", `tree.db and log.db disagree about transaction ${tree.zxid}`);
  }
}

/** The log continues from a checkpoint that it does not reach. Where earlier epochs ended, nobody here knows. */
function startOver(db: Connection, start: Start): void {
  const { zxid, epoch, crc, digest } = start.state;
  const clusterId = start.founding?.clusterId ?? "";
  db.transaction(() => {
    startFrom(db, { zxid, epoch, crc, digest, clusterId, acls: start.tree.acls.rows(), boundaries: [{ zxid, epoch }] });
    db.prepare(
      "UPDATE state SET accepted_epoch = max(accepted_epoch, @epoch), current_epoch = max(current_epoch, @epoch)",
    ).run({ epoch });
  }).immediate();
}

interface Replayed extends Omit<Recovered, "durable"> {
  readonly state: LogState;
  readonly checkpointZxid: number;
  readonly last: ChainPoint;
  readonly committed: LogPosition;
  readonly tail: Uint8Array | undefined;
}

/** Verifies the log from the checkpoint on, and applies what is committed. */
class Replay {
  private readonly db: Connection;
  private readonly state: LogState;
  private readonly start: Start;
  private readonly losses: Losses;
  private founding: Founding | undefined;
  private time: number;
  /** Up to here everything is proved. */
  private last: ChainPoint;
  private committed: LogPosition;
  /** The last transaction of each epoch that ends in what is replayed. */
  private readonly ends: LogPosition[] = [];
  private readonly tail = new ByteWriter(4096);

  constructor(db: Connection, state: LogState, start: Start, losses: Losses) {
    this.db = db;
    this.state = state;
    this.start = start;
    this.losses = losses;
    this.founding = start.founding;
    this.time = start.state.time;
    this.last = chainPointAt(db, state, start.state.zxid);
    this.committed = { zxid: this.last.zxid, epoch: this.last.epoch };
  }

  async run(): Promise<Replayed> {
    const { tree, sessions, state: from } = this.start;
    try {
      await this.replay();
    } catch (error) {
      const problem = asDamage(error, "log.db");
      if (problem === undefined) throw error;
      this.losses.damaged(problem);
    }
    const { state, committed, founding, last, time: lastTime } = this;
    if (committed.zxid < state.committed_zxid) {
      const missing = `transactions ${committed.zxid + 1} to ${state.committed_zxid} are missing from the log`;
      this.losses.damaged(new StorageError("CORRUPT", missing));
    }
    this.checkBoundaries(from.zxid);
    const tail = this.tail.length === 0 ? undefined : this.tail.copy();
    return { state, checkpointZxid: from.zxid, founding, tree, sessions, lastTime, last, committed, tail };
  }

  private async replay(): Promise<void> {
    const { db, state } = this;
    const { tree, sessions } = this.start;
    const plainSets = new PlainSets(tree, sessions);
    for await (const { bytes, point } of logTail(db, this.last, readLastPoint(db, state).zxid)) {
      let { zxid, epoch } = this.last;
      this.last = point;
      for (let at = 0; at < bytes.length;) {
        const start = at;
        let txn: Txn = plainSets.txn;
        at = plainSets.replay(bytes, start, state.committed_zxid);
        const isPlain = at > 0;
        if (!isPlain) {
          const reader = new ByteReader(bytes, start);
          txn = decodeStored(reader);
          at = reader.at;
        }
        if (txn.epoch !== epoch && zxid > 0) this.ends.push({ zxid, epoch });
        ({ zxid, epoch } = txn);
        this.time = txn.time;
        if (zxid > state.committed_zxid) {
          this.tail.raw(bytes.subarray(start, at));
          continue;
        }
        if (!isPlain) this.apply(txn);
        this.committed = { zxid, epoch };
      }
    }
  }

  private apply(txn: Txn): void {
    const { tree, sessions } = this.start;
    for (const op of txn.ops) {
      tree.apply(txn.zxid, op);
      if (op.kind === OpKind.found) this.founding = parseFounding(op.detail);
    }
    applyToSessions(sessions, txn);
  }

  /** The boundaries say what the rows say, as far as these were read. */
  private checkBoundaries(from: number): void {
    const stored = readBoundaries(this.db, this.last).filter(({ zxid }) => zxid >= from && zxid < this.last.zxid);
    const fit = stored.every(({ zxid, epoch }, i) => zxid === this.ends[i]?.zxid && epoch === this.ends[i].epoch);
    if (fit && stored.length === this.ends.length) return;
    throw new StorageError("CORRUPT", "the ends of epochs in log.db are not those of its rows");
  }
}

/** What the chain proves is as it was written: what cannot be read then was written by another version. */
function decodeStored(reader: ByteReader): Txn {
  try {
    return decodeTxn(reader);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new StorageError("FOREIGN", `the log has a transaction that cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}

/** Stores what this start has found out about the log, durably, before anybody relies on it. */
function store(db: Connection, replayed: Replayed, losses: Losses, options: RecoveryOptions): Recovered {
  const { state, last, committed, tail, founding, tree, sessions, lastTime } = replayed;
  const recovering = losses.reason ?? null;
  const acceptedEpoch = Math.max(state.accepted_epoch, losses.acceptedEpoch);
  db.transaction(() => {
    if (readLastPoint(db, state).zxid > last.zxid) cutAfter(db, last.zxid);
    if (committed.zxid !== state.committed_zxid || committed.epoch !== state.committed_epoch) {
      db.prepare("UPDATE state SET committed_zxid = ?, committed_epoch = ?").run(committed.zxid, committed.epoch);
    }
    if (recovering !== state.recovering) db.prepare("UPDATE state SET recovering = ?").run(recovering);
    if (acceptedEpoch !== state.accepted_epoch) db.prepare("UPDATE state SET accepted_epoch = ?").run(acceptedEpoch);
    // With the loss accepted, this is the whole history.
    if (!options.ensemble && state.install !== null) db.exec("UPDATE state SET install = NULL");
    const remember = db.prepare("INSERT OR IGNORE INTO member_ack (member, zxid, epoch) VALUES (?, ?, ?)");
    for (const { member, position } of losses.memberAcks) remember.run(member, position.zxid, position.epoch);
  }).immediate();
  const boundaries = readBoundaries(db, last);
  if (!areBoundaries(boundaries, last)) {
    throw new StorageError("CORRUPT", "the ends of epochs in log.db are out of order");
  }
  const durable = {
    clusterId: state.cluster_id,
    acceptedEpoch,
    currentEpoch: state.current_epoch,
    last: { zxid: last.zxid, epoch: last.epoch },
    committed,
    boundaries,
    logStart: state.log_start,
    tail,
    forming: readForming(state),
    recovering: losses.reason,
    memberAcks: readMemberAcks(db),
  };
  return { durable, founding, tree, sessions, lastTime };
}
