/**
 * Keeps tree.db behind the log, in a thread of its own, with as little notice as possible: it works in steps of a few
 * milliseconds with pauses between them, at low priority, and lets changes gather first, because a znode that changed
 * often costs no more than one that changed once.
 */
import { setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { CheckpointWorkerData, FromCheckpointWorker, ToCheckpointWorker } from "./checkpoint-messages.ts";
import { openForReading, openForWriting, type Connection, type Statement } from "./database.ts";
import { Fold } from "./fold.ts";
import { logFile } from "./log-schema.ts";
import { asStorageError } from "./storage-error.ts";
import { treeFile } from "./tree-schema.ts";

/** How often the commit point is looked at. */
const pollMs = 200;
/** Rows of the log in one scan, and znodes in one write: a few milliseconds each. */
const rowsPerScan = 4000;
const znodesPerWrite = 1000;
/** tree.db's WAL is copied into the file after this many znodes were written to it. */
const znodesPerWalCheckpoint = 8000;

assert(parentPort !== null, "the checkpoint worker is a worker thread");
const port = parentPort;
const { dataDir, pace } = workerData as CheckpointWorkerData;

class Checkpoint {
  private readonly log: Connection;
  private readonly tree: Connection;
  private readonly fold: Fold;
  private readonly committed: Statement;
  private readonly rowAhead: Statement;
  private unchecked = 0;
  private caughtUpAt = performance.now();
  closing: ToCheckpointWorker | undefined;

  constructor() {
    this.log = openForReading(join(dataDir, "log.db"), logFile, { cacheKiB: 2048 });
    this.tree = openForWriting(join(dataDir, "tree.db"), treeFile, { cacheKiB: 8192 });
    this.fold = new Fold(this.log, this.tree);
    this.committed = this.log.prepare("SELECT committed_zxid FROM state").pluck();
    this.rowAhead = this.log
      .prepare(`SELECT zxid FROM proposal WHERE zxid > ? ORDER BY zxid, op LIMIT 1 OFFSET ${rowsPerScan}`)
      .pluck();
  }

  async run(): Promise<void> {
    say({ kind: "folded", zxid: this.fold.zxid });
    while (this.closing === undefined) {
      const target = this.committed.get() as number;
      const behind = target - this.fold.zxid;
      const now = performance.now();
      if (behind === 0) this.caughtUpAt = now;
      else if (behind >= pace.behindTransactions || now - this.caughtUpAt >= pace.behindMs) {
        await this.foldTo(target);
        continue;
      }
      await pause(pollMs);
    }
    this.close(this.closing.fold);
  }

  private async foldTo(target: number): Promise<void> {
    while (this.fold.zxid < target && this.closing === undefined) {
      const start = performance.now();
      const wrote = this.step(target);
      if (wrote && this.unchecked >= znodesPerWalCheckpoint) this.copyWal();
      await pause(performance.now() - start);
    }
    this.caughtUpAt = performance.now();
  }

  /** Scans a little; writes once there is enough to write, or all is scanned. Returns whether it wrote. */
  private step(target: number): boolean {
    const { fold } = this;
    const ahead = this.rowAhead.get(fold.scanned) as number | undefined;
    // The transaction `ahead` belongs to may be only half within reach.
    const upTo = ahead === undefined ? target : Math.min(target, Math.max(fold.scanned + 1, ahead - 1));
    if (upTo > fold.scanned) fold.scan(upTo);
    if (fold.scanned < target && fold.pending < znodesPerWrite) return false;
    this.unchecked += fold.pending + 1;
    fold.write();
    say({ kind: "folded", zxid: fold.zxid });
    return true;
  }

  private copyWal(): void {
    this.unchecked = 0;
    this.tree.pragma("wal_checkpoint(PASSIVE)");
  }

  private close(fold: boolean): void {
    const target = this.committed.get() as number;
    while (fold && this.fold.zxid < target) {
      this.step(target);
      if (this.unchecked >= znodesPerWalCheckpoint) this.copyWal();
    }
    this.tree.pragma("wal_checkpoint(TRUNCATE)");
    this.tree.close();
    this.log.close();
    port.close();
  }
}

function say(message: FromCheckpointWorker): void {
  port.postMessage(message);
}

try {
  // On Linux 0 is this thread; elsewhere it would be the whole process.
  if (process.platform === "linux") setPriority(0, 10);
  const checkpoint = new Checkpoint();
  port.on("message", (message: ToCheckpointWorker) => {
    checkpoint.closing = message;
  });
  await checkpoint.run();
} catch (error) {
  const { code, message } = asStorageError(error);
  say({ kind: "failed", code, message });
  port.close();
}
