/**
 * Batches of durable steps: each is one SQLite transaction, synced, with the watermark on the right side of it. Every
 * call returns when what it says is on stable storage, or throws, and then nobody knows what is.
 *
 * The watermark never claims more than the disk holds: it goes down, synced, before a transaction that cuts rows off
 * commits, and up at some time after one that adds rows has.
 */
import { join } from "node:path";
import { unreachable } from "../base/assert.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import { emptyWal, openForWriting, type Connection } from "./database.ts";
import type { LogStep } from "./log-messages.ts";
import { logFile } from "./log-schema.ts";
import type { LogBase } from "./log-state.ts";
import { LogStore } from "./log-store.ts";
import { Watermark } from "./watermark.ts";

/** The WAL is copied into the database when about this much was written to it since the last time. */
const checkpointBytes = 16 * 1024 * 1024;
/** What a commit writes apart from the transactions themselves: the last page again, the state, the root. */
const commitOverheadBytes = 4 * 4096;
/** What the removal of one transaction writes, about. */
const purgeOverheadBytes = 512;

/** Told when a place is passed at which a process may die: `lowered watermark`; before, written and synced steps. */
export type PassedPoint = (point: string) => void;

export class LogBatches {
  private readonly db: Connection;
  private readonly store: LogStore;
  private readonly watermark: Watermark;
  private readonly passed: PassedPoint | undefined;
  private walBytes = 0;

  constructor(dataDir: string, passed?: PassedPoint) {
    this.db = openForWriting(join(dataDir, "log.db"), logFile, { cacheKiB: 8192 });
    this.store = new LogStore(this.db);
    this.watermark = new Watermark(join(dataDir, "watermark"));
    this.passed = passed;
  }

  /** The oldest transaction in the log. */
  get oldestZxid(): number {
    return this.store.oldestZxid;
  }

  /** Carries out steps in their order, as one commit. */
  write(steps: readonly LogStep[]): void {
    for (const { kind } of steps) this.passed?.(`before ${kind}`);
    this.lowerWatermark(this.lowestEnd(steps));
    this.store.beginBatch();
    for (const step of steps) {
      this.carryOut(step);
      this.passed?.(`written ${step.kind}`);
    }
    this.store.commitBatch();
    for (const { kind } of steps) this.passed?.(`synced ${kind}`);
    this.wrote(commitOverheadBytes);
  }

  /** Lets the log begin anew after a checkpoint that is durable in a file of its own. */
  install(base: LogBase): void {
    this.passed?.("before install");
    const { last } = this.store;
    // Whichever of the two histories a crash leaves.
    this.lowerWatermark({ zxid: Math.min(base.zxid, last.zxid), epoch: Math.min(base.epoch, last.epoch) });
    this.store.beginBatch();
    this.store.install(base);
    this.passed?.("written install");
    this.store.commitBatch();
    this.passed?.("synced install");
  }

  private carryOut(step: LogStep): void {
    const { store } = this;
    switch (step.kind) {
      case "append":
        this.walBytes += step.step.bytes.length * 1.5;
        return store.append(step.step);
      case "acceptEpoch":
        return store.acceptEpoch(step.epoch);
      case "establishEpoch":
        return store.establishEpoch(step.step);
      case "commit":
        return store.moveCommitted(step.point);
      case "truncate":
        return store.truncate(step.to);
      case "rememberAcks":
        return store.rememberAcks(step.acks);
      case "form":
        return store.form(step.forming);
      case "markRecovering":
        return store.markRecovering(step.reason);
      default:
        unreachable(step);
    }
  }

  /** How short the history may be, against what the watermark says, when these steps have begun to be carried out. */
  private lowestEnd(steps: readonly LogStep[]): LogPosition | undefined {
    let lowest: LogPosition | undefined;
    for (const step of steps) {
      let end: LogPosition;
      if (step.kind === "truncate") end = step.to;
      // The watermark still names what was lost; from here on this history stands in its place.
      else if (step.kind === "establishEpoch" && this.store.isRecovering) end = this.store.last;
      else continue;
      lowest ??= end;
      lowest = { zxid: Math.min(lowest.zxid, end.zxid), epoch: Math.min(lowest.epoch, end.epoch) };
    }
    return lowest;
  }

  private lowerWatermark(to: LogPosition | undefined): void {
    if (to === undefined || this.watermark.isReachedBy(to)) return;
    this.watermark.lower(to);
    this.passed?.("lowered watermark");
  }

  /** Moves the watermark up to what is durable. While data are known to be lost it goes on saying so. */
  raiseWatermark(): void {
    if (!this.store.isRecovering) this.watermark.raise(this.store.last);
  }

  /** Removes some of the oldest transactions up to `upTo`; returns whether there are more. */
  purge(upTo: number, transactions: number): boolean {
    const from = this.store.oldestZxid;
    if (from > upTo) return false;
    this.store.beginBatch();
    this.store.purge(Math.min(upTo, from + transactions - 1));
    this.store.commitBatch();
    this.wrote(transactions * purgeOverheadBytes);
    return this.store.oldestZxid <= upTo;
  }

  private wrote(bytes: number): void {
    this.walBytes += bytes;
    if (this.walBytes > checkpointBytes) this.checkpoint();
  }

  /** Copies what it can without waiting for readers. When one holds it up, the next try comes a little later. */
  private checkpoint(): void {
    const [result] = this.db.pragma("wal_checkpoint(PASSIVE)") as [{ log: number; checkpointed: number }];
    this.walBytes = result.checkpointed === result.log ? 0 : checkpointBytes / 2;
  }

  close(): void {
    this.raiseWatermark();
    this.watermark.close();
    emptyWal(this.db);
    this.store.close();
  }
}
