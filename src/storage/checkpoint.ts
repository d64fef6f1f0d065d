/** The checkpoint worker as the storage sees it. */
import type { Worker } from "node:worker_threads";
import type { CheckpointWorkerData, FromCheckpointWorker, ToCheckpointWorker } from "./checkpoint-messages.ts";
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
  zxid = 0;
  private readonly events: CheckpointEvents;
  private readonly worker: Worker;
  private readonly ended: Promise<void>;

  constructor(data: CheckpointWorkerData, events: CheckpointEvents) {
    this.events = events;
    this.worker = startWorker("checkpoint-worker", data);
    this.worker.on("message", (message: FromCheckpointWorker) => this.receive(message));
    this.worker.on("error", (error: Error) =>
      events.onFailure(new StorageError("IO", error.message, { cause: error })),
    );
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => resolve());
    });
  }

  private receive(message: FromCheckpointWorker): void {
    switch (message.kind) {
      case "folded":
        this.zxid = message.zxid;
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

  async close(fold: boolean): Promise<void> {
    this.worker.postMessage({ kind: "close", fold } satisfies ToCheckpointWorker);
    await this.ended;
  }
}
