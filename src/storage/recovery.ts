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
import { SessionTable } from "../sessions/session-table.ts";
import { parseFounding, type Founding } from "../tree/detail.ts";
import { Tree } from "../tree/tree.ts";
import { OpKind, type Txn } from "../tree/txn.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import { openForWriting, type Connection } from "./database.ts";
import { LogChain } from "./log-chain.ts";
import { chainPointAt, scanLog } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import { readLastPoint, readLogState, type LogState } from "./log-store.ts";
import { StorageError } from "./storage-error.ts";
import { Watermark } from "./watermark.ts";

export interface RecoveryOptions {
  readonly dataDir: string;
  readonly serverId: number;
  /** Start although acknowledged transactions are missing. */
  readonly acceptLoss: boolean;
}

/** The state to replay onto. */
interface Start {
  readonly zxid: number;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly founding: Founding | undefined;
  readonly time: number;
}

export function recover(options: RecoveryOptions): Recovered {
  const path = join(options.dataDir, "log.db");
  const db = openForWriting(path, logFile, { cacheKiB: 16384 });
  try {
    const state = readLogState(db);
    claim(db, state, options);
    makeDurableAnew(db, path);
    const last = readLastPoint(db, state);
    checkWatermark(last, options);
    return rebuild(db, state, {
      zxid: 0,
      tree: Tree.initial(),
      sessions: new SessionTable(),
      founding: undefined,
      time: 0,
    });
  } finally {
    db.close();
  }
}

/** The directory belongs to one server for good. */
function claim(db: Connection, state: LogState, options: RecoveryOptions): void {
  if (state.server_id === options.serverId) return;
  if (state.server_id !== 0) {
    const owner = `server ${state.server_id}, not server ${options.serverId}`;
    throw new StorageError("FOREIGN", `data directory ${options.dataDir} belongs to ${owner}`);
  }
  db.prepare("UPDATE state SET server_id = ?").run(options.serverId);
}

function makeDurableAnew(db: Connection, path: string): void {
  const [result] = db.pragma("wal_checkpoint(TRUNCATE)") as [{ busy: number }];
  // A foreign reader keeps the WAL: its bytes are written once more, which makes them dirty, and synced.
  if (result.busy !== 0) rewrite(`${path}-wal`);
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
    const { zxid, epoch } = watermark.current;
    if (zxid <= last.zxid && epoch <= last.epoch) return;
    if (!options.acceptLoss) {
      const missing = zxid > last.zxid ? `${last.zxid + 1} to ${zxid}` : `up to ${zxid}`;
      throw new StorageError(
        "LOST",
        `acknowledged transactions are missing: ${missing} of epoch ${epoch} (the log ends at ${last.zxid} of epoch ` +
          `${last.epoch}). Restore ${options.dataDir} from a complete copy, or start with --accept-loss without them.`,
      );
    }
    watermark.lower({ zxid: last.zxid, epoch: last.epoch });
  } finally {
    watermark.close();
  }
}

function rebuild(db: Connection, state: LogState, start: Start): Recovered {
  const { tree, sessions } = start;
  const committedZxid = state.committed_zxid;
  const chain = new LogChain(chainPointAt(db, state, start.zxid));
  let committed: LogPosition = { zxid: chain.zxid, epoch: chain.epoch };
  let { founding, time } = start;
  const tail: Txn[] = [];
  for (const stored of scanLog(db, start.zxid, Number.MAX_SAFE_INTEGER)) {
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
