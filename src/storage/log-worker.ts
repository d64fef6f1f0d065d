/**
 * The one writer of log.db, in a thread of its own. It takes every step that is waiting, writes them in one SQLite
 * transaction, and says `persisted` when that is synced; while it syncs, the next batch gathers.
 *
 * Whatever fails ends the worker, and with it the process: nothing is retried, and nothing is acknowledged after a
 * failure, because after a failed write or sync nobody knows what is on the disk.
 */
import { join } from "node:path";
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { assert, unreachable } from "../base/assert.ts";
import { emptyWal, openForWriting, type Connection } from "./database.ts";
import type { FromLogWorker, LogStep, ToLogWorker } from "./log-messages.ts";
import { logFile } from "./log-schema.ts";
import { LogStore } from "./log-store.ts";
import { asStorageError } from "./storage-error.ts";
import { Watermark } from "./watermark.ts";

/** How long the watermark may lag. */
const watermarkMs = 100;
/** The WAL is copied into the database when about this much was written to it since the last time. */
const checkpointBytes = 16 * 1024 * 1024;
/** What a commit writes apart from the transactions themselves: the last page again, the state, the root. */
const commitOverheadBytes = 4 * 4096;
/** Transactions removed in one step of a purge, and the pause after it: twice as fast as any log grows. */
const purgeTransactions = 1000;
const purgePauseMs = 5;

assert(parentPort !== null, "the log worker is a worker thread");
const port = parentPort;

class LogWorker {
  private readonly db: Connection;
  readonly store: LogStore;
  private readonly watermark: Watermark;
  private watermarkTimer: NodeJS.Timeout | undefined;
  private walBytes = 0;
  private purgeTo = 0;
  private purgeTimer: NodeJS.Timeout | undefined;

  constructor(dataDir: string) {
    this.db = openForWriting(join(dataDir, "log.db"), logFile, { cacheKiB: 8192 });
    this.store = new LogStore(this.db);
    this.watermark = new Watermark(join(dataDir, "watermark"));
  }

  write(steps: readonly LogStep[]): void {
    this.store.beginBatch();
    for (const step of steps) this.carryOut(step);
    this.store.commitBatch();
    say({ kind: "persisted", write: steps.at(-1)!.write });
    this.walBytes += commitOverheadBytes;
    this.watermarkTimer ??= setTimeout(() => guarded(() => this.raiseWatermark()), watermarkMs);
    if (this.walBytes > checkpointBytes) this.checkpoint();
  }

  private carryOut(step: LogStep): void {
    switch (step.kind) {
      case "append":
        this.walBytes += step.step.bytes.length * 1.5;
        this.store.append(step.step);
        return;
      case "acceptEpoch":
        this.store.acceptEpoch(step.epoch);
        return;
      case "establishEpoch":
        this.store.establishEpoch(step.step);
        return;
      case "commit":
        this.store.moveCommitted(step.point);
        return;
      default:
        unreachable(step);
    }
  }

  /** Purges in steps, between batches. */
  purge(upTo: number): void {
    this.purgeTo = Math.max(this.purgeTo, upTo);
    this.purgeTimer ??= setTimeout(() => guarded(() => this.purgeStep()), purgePauseMs);
  }

  private purgeStep(): void {
    this.purgeTimer = undefined;
    const from = this.store.oldestZxid;
    if (from > this.purgeTo) return;
    this.store.beginBatch();
    this.store.purge(Math.min(this.purgeTo, from + purgeTransactions - 1));
    this.store.commitBatch();
    this.walBytes += purgeTransactions * 512;
    if (this.walBytes > checkpointBytes) this.checkpoint();
    say({ kind: "purged", oldestZxid: this.store.oldestZxid });
    this.purge(this.purgeTo);
  }

  private raiseWatermark(): void {
    this.watermarkTimer = undefined;
    this.watermark.raise(this.store.last);
  }

  /** Copies what it can without waiting for readers. When one holds it up, the next try comes a little later. */
  private checkpoint(): void {
    const [result] = this.db.pragma("wal_checkpoint(PASSIVE)") as [{ log: number; checkpointed: number }];
    this.walBytes = result.checkpointed === result.log ? 0 : checkpointBytes / 2;
  }

  close(): void {
    clearTimeout(this.watermarkTimer);
    clearTimeout(this.purgeTimer);
    this.raiseWatermark();
    this.watermark.close();
    emptyWal(this.db);
    this.store.close();
  }
}

function say(message: FromLogWorker): void {
  port.postMessage(message);
}

let worker: LogWorker | undefined;
let failed = false;

/** Carries out a message and everything that waits behind it, as few commits as order allows. */
function receive(first: ToLogWorker): void {
  const steps: LogStep[] = [];
  for (let message: ToLogWorker | undefined = first; message !== undefined; message = waiting()) {
    if (message.kind === "steps") steps.push(...message.steps);
    else if (message.kind === "open") {
      worker = new LogWorker(message.dataDir);
      say({ kind: "opened", oldestZxid: worker.store.oldestZxid });
    } else if (message.kind === "purge") {
      worker!.purge(message.upTo);
    } else {
      if (steps.length > 0) worker!.write(steps);
      worker?.close();
      say({ kind: "closed" });
      port.close();
      return;
    }
  }
  if (steps.length > 0) worker!.write(steps);
}

function waiting(): ToLogWorker | undefined {
  return receiveMessageOnPort(port)?.message as ToLogWorker | undefined;
}

/** Runs something that writes; a failure is the end. */
function guarded(run: () => void): void {
  if (failed) return;
  try {
    run();
  } catch (error) {
    failed = true;
    const { code, message } = asStorageError(error);
    say({ kind: "failed", code, message });
  }
}

port.on("message", (message: ToLogWorker) => {
  // After a failure the process is about to end. Until then nothing more is written.
  if (failed && message.kind === "close") port.close();
  guarded(() => receive(message));
});
