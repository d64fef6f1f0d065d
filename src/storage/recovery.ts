/**
 * What a server starts with: the checkpoint, the committed transactions after it, and the pending tail.
 *
 *   1. The tail of the log is made durable anew. After a failed sync the page cache may hold what the disk does not, and
 *      this process is about to vote and acknowledge on the strength of it.
 *   2. The log must reach the watermark, or acknowledged transactions are missing.
 *   3. The chain is verified from the checkpoint to the end, while the state is rebuilt.
 *
 * Damage is never repaired by cutting committed rows: the server refuses to start and says what it found.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Recovered } from "../replica/ports.ts";
import { applyToSessions } from "../sessions/apply.ts";
import { parseFounding } from "../tree/detail.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import { emptyWal, openForWriting, type Connection } from "./database.ts";
import { LogChain } from "./log-chain.ts";
import { chainPointAt, scanLog } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import { readLastPoint, readLogState, type LogState } from "./log-store.ts";
import { findStart, type Start } from "./recovery-checkpoint.ts";
import { StorageError } from "./storage-error.ts";
import type { TreeState } from "./tree-schema.ts";
import { Watermark } from "./watermark.ts";

export interface RecoveryOptions {
  readonly dataDir: string;
  readonly serverId: number;
  /** Start although acknowledged transactions are missing. */
  readonly acceptLoss: boolean;
  onDamage(error: StorageError): void;
}

export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const path = join(options.dataDir, "log.db");
  const db = openForWriting(path, logFile, { cacheKiB: 16384 });
  try {
    claim(db, options);
    makeDurableAnew(db, path);
    const state = readLogState(db);
    const last = readLastPoint(db, state);
    checkWatermark(last, options);
    const start = await findStart({
      dataDir: options.dataDir,
      fromScratch: state.log_start === 1,
      onDamage: (error) => options.onDamage(error),
      check: (tree) => {
        if (tree.zxid > last.zxid) checkNotLost(tree, last, options);
        else checkContinuation(db, state, tree);
      },
    });
    if (start.state.zxid <= last.zxid) return rebuild(db, state, start);
    startOver(db, start);
    return rebuild(db, readLogState(db), start);
  } finally {
    db.close();
  }
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

function makeDurableAnew(db: Connection, path: string): void {
  // A foreign reader may keep the WAL: its bytes are written once more, which makes them dirty, and synced.
  if (!emptyWal(db)) rewrite(`${path}-wal`);
}

function rewrite(path: string): void {
  const bytes = readFileSync(path);
  const file = openSync(path, "r+");
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at);
  fsyncSync(file);
  closeSync(file);
}

function checkWatermark(last: LogPosition, options: RecoveryOptions): void {
  const watermark = new Watermark(join(options.dataDir, "watermark"));
  try {
    const acked = watermark.current;
    if (acked.zxid <= last.zxid && acked.epoch <= last.epoch) return;
    if (!options.acceptLoss) throw lost(acked, last, options);
    watermark.lower({ zxid: last.zxid, epoch: last.epoch });
  } finally {
    watermark.close();
  }
}

/** The checkpoint holds only what was committed: a log that ends before it has lost transactions. */
function checkNotLost(tree: LogPosition, last: LogPosition, options: RecoveryOptions): void {
  if (!options.acceptLoss) throw lost(tree, last, options);
}

function lost(known: LogPosition, last: LogPosition, options: RecoveryOptions): StorageError {
  const missing = known.zxid > last.zxid ? `${last.zxid + 1} to ${known.zxid}` : `up to ${known.zxid}`;
  const end = last.zxid === 0 ? "the log is empty" : `the log ends at ${last.zxid} of epoch ${last.epoch}`;
  return new StorageError(
    "LOST",
    `acknowledged transactions are missing: ${missing} of epoch ${known.epoch} (${end}). ` +
      `Restore ${options.dataDir} from a complete copy, or start with --accept-loss to go on without them.`,
  );
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

/** With loss accepted: the log continues from a checkpoint that it does not reach. */
function startOver(db: Connection, start: Start): void {
  const { zxid, epoch, crc, digest } = start.state;
  db.transaction(() => {
    db.exec("DELETE FROM proposal; DELETE FROM acl");
    const addAcl = db.prepare("INSERT INTO acl (id, zxid, entries) VALUES (?, ?, ?)");
    for (const acl of start.tree.acls.rows()) addAcl.run(acl.id, zxid, acl.entries);
    db.prepare(
      `UPDATE state SET
         cluster_id = @clusterId,
         accepted_epoch = max(accepted_epoch, @epoch), current_epoch = max(current_epoch, @epoch),
         committed_zxid = @zxid, committed_epoch = @epoch,
         base_zxid = @zxid, base_epoch = @epoch, base_crc = @crc, base_digest = @digest,
         log_start = @zxid + 1, log_start_epoch = @epoch, log_start_crc = @crc`,
    ).run({ clusterId: start.founding?.clusterId ?? "", zxid, epoch, crc, digest });
  }).immediate();
}

function rebuild(db: Connection, state: LogState, start: Start): Recovered {
  const { tree, sessions } = start;
  const committedZxid = state.committed_zxid;
  const chain = new LogChain(chainPointAt(db, state, start.state.zxid));
  let committed: LogPosition = { zxid: chain.zxid, epoch: chain.epoch };
  let { founding } = start;
  let { time } = start.state;
  const tail: Txn[] = [];
  for (const stored of scanLog(db, start.state.zxid, Number.MAX_SAFE_INTEGER)) {
    chain.verify(stored);
    const { txn } = stored;
    time = txn.time;
    if (txn.zxid > committedZxid) {
      tail.push(txn);
      continue;
    }
    for (const op of txn.ops) {
      tree.apply(txn.zxid, op);
      if (op.kind === OpKind.found) founding = parseFounding(op.detail);
    }
    applyToSessions(sessions, txn);
    committed = { zxid: txn.zxid, epoch: txn.epoch };
  }
  if (committed.zxid < committedZxid) {
    throw new StorageError(
      "CORRUPT",
      `transactions ${committed.zxid + 1} to ${committedZxid} are missing from the log`,
    );
  }
  return {
    clusterId: state.cluster_id,
    founding,
    acceptedEpoch: state.accepted_epoch,
    currentEpoch: state.current_epoch,
    committed,
    last: { zxid: chain.zxid, epoch: chain.epoch },
    tree,
    sessions,
    tail,
    lastTime: time,
  };
}
