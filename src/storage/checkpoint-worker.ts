/**
 * Keeps tree.db behind the log, in a thread of its own, with as little notice as possible: it works in steps of a few
 * milliseconds with pauses between them, at low priority, and lets changes gather first, because a znode that changed
 * often costs no more than one that changed once.
 */
import { statSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type {
  CheckpointCopy,
  CheckpointWorkerData,
  FromCheckpointWorker,
  ToCheckpointWorker,
} from "./checkpoint-messages.ts";
import { emptyWal, openForReading, openForWriting, type Connection, type Statement } from "./database.ts";
import { Fold } from "./fold.ts";
import { logFile } from "./log-schema.ts";
import { chainPointAt } from "./log-scan.ts";
import { readLogState } from "./log-state.ts";
import { purgeable } from "./retention.ts";
import { Scrub } from "./scrub.ts";
import { asDamage, asStorageError, StorageError } from "./storage-error.ts";
import { TreeCopy } from "./tree-copy.ts";
import { treeFile, type TreeState } from "./tree-schema.ts";

/** How often the commit point is looked at. */
const pollMs = 200;
/** Rows of the log in one scan: a few milliseconds. */
const rowsPerScan = 4000;
/** Znodes whose changes are gathered at most before they are written. */
const znodesPerWrite = 20_000;
/** tree.db's WAL is copied into the file after this many znodes were written to it. */
const znodesPerWalCheckpoint = 10_000;
/** Beyond this the log's WAL cannot start over because somebody always reads it: a long pause now and then lets it. */
const largeWalBytes = 64 * 1024 * 1024;
const largeWalPauseMs = 500;
const betweenLongPausesMs = 2500;
/** Between two rounds of the scrub. */
const scrubRestMs = 3600_000;
/** After each mebibyte of a copy. */
const copyPauseMs = 10;
/** A copy of the checkpoint that lags no more than this is given to another server once more. */
const recentTransactions = 50_000;
/** Somebody else reads tree.db: how often a copy is tried, and the pause between. */
const copyTries = 20;
const copyTryPauseMs = 250;

assert(parentPort !== null, "the checkpoint worker is a worker thread");
const port = parentPort;
const { dataDir, pace, retention } = workerData as CheckpointWorkerData;

class Checkpoint {
  private readonly log: Connection;
  private readonly target: Statement;
  private readonly copy = new TreeCopy(dataDir);
  private readonly scrub: Scrub;
  private tree: Connection;
  private fold: Fold;
  private unchecked = 0;
  private longPauseAt = 0;
  private caughtUpAt = performance.now();
  private retentionLookedAt = 0;
  private scrubRestsUntil = 0;
  private resting = false;
  private readonly copiesAsked: (ToCheckpointWorker & { kind: "copy" })[] = [];
  private closing: (ToCheckpointWorker & { kind: "close" }) | undefined;

  constructor() {
    this.log = openForReading(join(dataDir, "log.db"), logFile, { cacheKiB: 2048 });
    // While a checkpoint is being installed, tree.db stays what the mark in the log says it is.
    this.target = this.log.prepare("SELECT committed_zxid FROM state WHERE install IS NULL").pluck();
    this.scrub = new Scrub(this.log);
    this.tree = this.openTree();
    this.fold = new Fold(this.log, this.tree);
  }

  private openTree(): Connection {
    return openForWriting(join(dataDir, "tree.db"), treeFile, { cacheKiB: 8192 });
  }

  receive(message: ToCheckpointWorker): void {
    if (message.kind === "close") this.closing = message;
    else if (message.kind === "copy") this.copiesAsked.push(message);
    else this.resting = message.rest;
  }

  private get isInterrupted(): boolean {
    return this.closing !== undefined || this.resting;
  }

  /** What is to be folded now. */
  private get goal(): number {
    const target = this.resting ? undefined : (this.target.get() as number | undefined);
    return target ?? this.fold.zxid;
  }

  async run(): Promise<void> {
    say({ kind: "folded", zxid: this.fold.zxid });
    while (this.closing === undefined) {
      const asked = this.copiesAsked.shift();
      if (asked !== undefined) {
        say({ kind: "copied", ticket: asked.ticket, copy: await this.provideCopy(asked.least) });
        continue;
      }
      const target = this.goal;
      const behind = target - this.fold.zxid;
      const now = performance.now();
      if (behind === 0) this.caughtUpAt = now;
      else if (behind >= pace.behindTransactions || now - this.caughtUpAt >= pace.behindMs) {
        await this.foldTo(target);
        await this.purgeIfTooMuch();
        continue;
      }
      this.scrubStep();
      await pause(pollMs);
    }
    this.close(this.closing.fold);
  }

  private async foldTo(target: number): Promise<void> {
    let start = performance.now();
    for (const _ of this.steps(target)) {
      if (!this.isInterrupted) await this.yieldTo(performance.now() - start);
      // Half a step leaves nothing behind: what was not committed is folded again by whoever comes next.
      if (this.isInterrupted) break;
      start = performance.now();
    }
    if (this.isInterrupted) this.reopen();
    this.caughtUpAt = performance.now();
  }

  /**
   * Lets others work for as long as this did; longer when the log's WAL waits for a moment without readers. Not each
   * time: a WAL that has started over keeps its size until somebody writes again.
   */
  private async yieldTo(workedMs: number): Promise<void> {
    const now = performance.now();
    const isLongDue = now - this.longPauseAt >= betweenLongPausesMs;
    const wal = isLongDue ? (statSync(join(dataDir, "log.db-wal"), { throwIfNoEntry: false })?.size ?? 0) : 0;
    if (wal <= largeWalBytes) {
      await pause(workedMs);
      return;
    }
    await pause(largeWalPauseMs);
    this.longPauseAt = performance.now();
  }

  /** Folds up to `target`, with a pause at each `yield`. */
  private *steps(target: number): Generator<void, void> {
    const { fold } = this;
    while (fold.zxid < target) {
      while (fold.scanned < target && fold.pending < znodesPerWrite) {
        fold.scan(target, rowsPerScan);
        yield;
      }
      this.unchecked += fold.pending;
      yield* fold.write();
      say({ kind: "folded", zxid: fold.zxid });
      if (this.unchecked >= znodesPerWalCheckpoint) this.copyWal();
    }
  }

  private reopen(): void {
    this.fold = new Fold(this.log, this.tree);
  }

  private copyWal(): void {
    this.unchecked = 0;
    this.tree.pragma("wal_checkpoint(PASSIVE)");
  }

  private scrubStep(): void {
    if (performance.now() < this.scrubRestsUntil) return;
    try {
      if (this.scrub.step()) this.scrubRestsUntil = performance.now() + scrubRestMs;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.scrub.skip();
      say({ kind: "damaged", message: error.message });
    }
  }

  /** Rows go only when tree.db is synced and an older verified copy exists; the log is kept from that copy on. */
  private async purgeIfTooMuch(): Promise<void> {
    const now = performance.now();
    if (this.retentionLookedAt > 0 && now - this.retentionLookedAt < pace.behindMs) return;
    this.retentionLookedAt = now;
    const last = Math.min(purgeable(this.log, retention, Date.now()), this.fold.zxid);
    if (last === 0) return;
    if (this.copy.zxid < last && (await this.copyTree()) !== "copied") return;
    say({ kind: "purgeable", upTo: last });
  }

  /** A verified copy for another server: the one there is when it will do, else a new one as of now. */
  private async provideCopy(least: number): Promise<CheckpointCopy | undefined> {
    if (this.target.get() === undefined) return undefined;
    const recent = await this.recentCopy(least);
    if (recent !== undefined) return recent;
    await this.foldTo(this.goal);
    if (this.fold.zxid < Math.max(least, 1)) return undefined;
    for (let tries = 0; tries < copyTries; tries++) {
      const result = await this.copyTree();
      if (result === "copied") return this.describeCopy();
      if (result === "failed") return undefined;
      await pause(copyTryPauseMs);
    }
    return undefined;
  }

  private async recentCopy(least: number): Promise<CheckpointCopy | undefined> {
    const { state } = this.copy;
    if (state === undefined || !this.isRecent(state, least)) return undefined;
    try {
      for (const _ of this.copy.verify()) {
        if (this.isInterrupted) return undefined;
        await pause(copyPauseMs);
      }
      return this.describeCopy();
    } catch (error) {
      if (asDamage(error, this.copy.path) === undefined) throw error;
      say({ kind: "damaged", message: (error as Error).message });
      return undefined;
    }
  }

  /** Whether the log goes on from a copy, and not too far. */
  private isRecent({ zxid, epoch, crc }: TreeState, least: number): boolean {
    return this.log.transaction(() => {
      const log = readLogState(this.log);
      const lag = log.committed_zxid - zxid;
      if (zxid < Math.max(least, log.log_start - 1, 1) || lag < 0 || lag > recentTransactions) return false;
      const point = chainPointAt(this.log, log, zxid);
      return point.crc === crc && point.epoch === epoch;
    })();
  }

  private describeCopy(): CheckpointCopy | undefined {
    const { state, path } = this.copy;
    if (state === undefined) return undefined;
    const { ino: inode, mtimeMs: modifiedMs, size: bytes } = statSync(path);
    const { zxid, epoch, crc, digest } = state;
    return { inode, modifiedMs, bytes, zxid, epoch, crc, digest };
  }

  /** Puts a new verified copy in place. "busy": somebody else reads tree.db, so another time. */
  private async copyTree(): Promise<"copied" | "busy" | "failed"> {
    if (!emptyWal(this.tree)) return "busy";
    this.tree.close();
    try {
      for (const _ of this.copy.make()) {
        if (this.isInterrupted) return "failed";
        await pause(copyPauseMs);
      }
      return "copied";
    } catch (error) {
      // Without a sound checkpoint nothing is purged; a restart will use what is there.
      if (!(error instanceof StorageError) || error.code !== "CORRUPT") throw error;
      say({ kind: "damaged", message: error.message });
      return "failed";
    } finally {
      this.tree = this.openTree();
      this.reopen();
    }
  }

  private close(fold: boolean): void {
    // Somebody waits for this, so without pauses and at the usual priority, where the system allows it.
    if (process.platform === "linux") raisePriority();
    if (fold) for (const _ of this.steps(this.goal));
    emptyWal(this.tree);
    this.tree.close();
    this.log.close();
    port.close();
  }
}

function raisePriority(): void {
  try {
    setPriority(0, 0);
  } catch {
    // Only privileged processes may go back up.
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
    checkpoint.receive(message);
  });
  await checkpoint.run();
} catch (error) {
  const { code, message } = asStorageError(error);
  say({ kind: "failed", code, message });
  port.close();
}
