/** The checkpoint worker as the storage sees it. */
import type { Worker } from "node:worker_threads";
import type { CheckpointWorkerData, FromCheckpointWorker, ToCheckpointWorker } from "./checkpoint-messages.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { startWorker } from "./worker.ts";

export class Checkpointer {
  /** tree.db is durably as of this transaction. */
  zxid = 0;
  private readonly worker: Worker;
  private readonly ended: Promise<void>;

  constructor(data: CheckpointWorkerData, onFailure: (error: StorageError) => void) {
    this.worker = startWorker("checkpoint-worker", data);
    this.worker.on("message", (message: FromCheckpointWorker) => {
      if (message.kind === "folded") this.zxid = message.zxid;
      else onFailure(new StorageError(message.code as StorageErrorCode, `checkpoint: ${message.message}`));
    });
    this.worker.on("error", (error: Error) => onFailure(new StorageError("IO", error.message, { cause: error })));
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => resolve());
    });
  }

  async close(fold: boolean): Promise<void> {
    this.worker.postMessage({ kind: "close", fold } satisfies ToCheckpointWorker);
    await this.ended;
  }
}
