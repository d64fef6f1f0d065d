/** The checkpoint worker as the storage sees it. */
import type { Worker } from "node:worker_threads";
import type {
  CheckpointCopy,
  CheckpointWorkerData,
  FromCheckpointWorker,
  ToCheckpointWorker,
} from "./checkpoint-messages.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { startWorker } from "./worker.ts";

export interface CheckpointEvents {
  /** The log may be purged up to this transaction. */
  onPurgeable(upTo: number): void;
  onDamage(error: StorageError): void;
  onFailure(error: StorageError): void;
}

export class Checkpointer {
  /** tree.db is durably as of this transaction. */
  zxid: number;
  private readonly events: CheckpointEvents;
  private readonly worker: Worker;
  private readonly ended: Promise<void>;
  private tickets = 0;
  private readonly asked = new Map<number, (copy: CheckpointCopy | undefined) => void>();
  private isOver = false;

  /** `zxid`: where recovery found tree.db. */
  constructor(data: CheckpointWorkerData, zxid: number, events: CheckpointEvents) {
    this.zxid = zxid;
    this.events = events;
    this.worker = startWorker("checkpoint-worker", data);
    this.worker.on("message", (message: FromCheckpointWorker) => this.receive(message));
    this.worker.on("error", (error: Error) =>
      events.onFailure(new StorageError("IO", error.message, { cause: error })),
    );
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => {
        this.isOver = true;
        for (const answer of this.asked.values()) answer(undefined);
        this.asked.clear();
        resolve();
      });
    });
  }

  private receive(message: FromCheckpointWorker): void {
    switch (message.kind) {
      case "folded":
        this.zxid = message.zxid;
        return;
      case "copied":
        this.asked.get(message.ticket)?.(message.copy);
        this.asked.delete(message.ticket);
        return;
      case "purgeable":
        this.events.onPurgeable(message.upTo);
        return;
      case "damaged":
        this.events.onDamage(new StorageError("CORRUPT", message.message));
        return;
      case "failed":
        this.events.onFailure(new StorageError(message.code as StorageErrorCode, `checkpoint: ${message.message}`));
    }
  }

  /** While it rests, nothing is folded: tree.db is about to be replaced. */
  rest(rest: boolean): void {
    this.post({ kind: "rest", rest });
  }

  /**
   * Makes tree.old.db a verified copy of the checkpoint as of `least` or later, and as new as makes sense. Undefined when
   * that cannot be had now.
   */
  copy(least: number): Promise<CheckpointCopy | undefined> {
    if (this.isOver) return Promise.resolve(undefined);
    const ticket = ++this.tickets;
    return new Promise((resolve) => {
      this.asked.set(ticket, resolve);
      this.post({ kind: "copy", ticket, least });
    });
  }

  async close(fold: boolean): Promise<void> {
    this.post({ kind: "close", fold });
    await this.ended;
  }

  private post(message: ToCheckpointWorker): void {
    this.worker.postMessage(message);
  }
}
