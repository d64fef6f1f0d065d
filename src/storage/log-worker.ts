/**
 * The one writer of log.db, in a thread of its own. It takes every step that is waiting, writes them in one SQLite
 * transaction, and says `persisted` when that is synced; while it syncs, the next batch gathers.
 *
 * Whatever fails ends the worker, and with it the process: nothing is retried, and nothing is acknowledged after a
 * failure, because after a failed write or sync nobody knows what is on the disk.
 */
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { assert, unreachable } from "../base/assert.ts";
import { LogBatches } from "./log-batches.ts";
import type { FromLogWorker, LogStep, ToLogWorker } from "./log-messages.ts";
import { asStorageError } from "./storage-error.ts";

/** How long the watermark may lag. */
const watermarkMs = 100;
/** Transactions removed in one step of a purge, and the pause after it: twice as fast as any log grows. */
const purgeTransactions = 1000;
const purgePauseMs = 5;

assert(parentPort !== null, "the log worker is a worker thread");
const port = parentPort;

class LogWorker {
  private readonly batches: LogBatches;
  private watermarkTimer: NodeJS.Timeout | undefined;
  private purgeTo = 0;
  private purgeTimer: NodeJS.Timeout | undefined;

  constructor(dataDir: string) {
    this.batches = new LogBatches(dataDir);
    say({ kind: "opened", oldestZxid: this.batches.oldestZxid });
  }

  write(steps: readonly LogStep[]): void {
    this.batches.write(steps);
    say({ kind: "persisted", write: steps.at(-1)!.write });
    this.watermarkTimer ??= setTimeout(() => guarded(() => this.raiseWatermark()), watermarkMs);
  }

  private raiseWatermark(): void {
    this.watermarkTimer = undefined;
    this.batches.raiseWatermark();
  }

  /** Purges in steps, between batches. */
  purge(upTo: number): void {
    this.purgeTo = Math.max(this.purgeTo, upTo);
    this.purgeTimer ??= setTimeout(() => guarded(() => this.purgeStep()), purgePauseMs);
  }

  private purgeStep(): void {
    this.purgeTimer = undefined;
    const isMore = this.batches.purge(this.purgeTo, purgeTransactions);
    say({ kind: "purged", oldestZxid: this.batches.oldestZxid });
    if (isMore) this.purge(this.purgeTo);
  }

  install(message: ToLogWorker & { kind: "install" }): void {
    clearTimeout(this.purgeTimer);
    this.batches.install(message.base);
    say({ kind: "installed" });
  }

  close(): void {
    clearTimeout(this.watermarkTimer);
    clearTimeout(this.purgeTimer);
    this.batches.close();
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
  const write = (): void => {
    if (steps.length > 0) worker!.write(steps.splice(0));
  };
  for (let message: ToLogWorker | undefined = first; message !== undefined; message = waiting()) {
    switch (message.kind) {
      case "steps":
        steps.push(...message.steps);
        break;
      case "open":
        worker = new LogWorker(message.dataDir);
        break;
      case "purge":
        worker!.purge(message.upTo);
        break;
      case "install":
        write();
        worker!.install(message);
        break;
      case "close":
        write();
        worker?.close();
        say({ kind: "closed" });
        port.close();
        return;
      default:
        unreachable(message);
    }
  }
  write();
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
