/** The history as the replica sees it: reads are asked for and arrive later. The worker starts with the first one. */
import type { Worker } from "node:worker_threads";
import { ByteReader } from "../base/bytes.ts";
import type { HistoryPort, HistoryResult } from "../replica/ports.ts";
import { decodeTxn } from "../replica/txn-codec.ts";
import type { Txn } from "../tree/txn.ts";
import type { FromHistoryWorker, ToHistoryWorker } from "./history-messages.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { startWorker } from "./worker.ts";

export interface HistoryEvents {
  onHistory(ticket: number, result: HistoryResult): void;
  onFailure(error: StorageError): void;
  /** Old rows are damaged. Nothing that was acknowledged is at stake yet, so the server goes on. */
  onDamage(error: StorageError): void;
}

export class HistoryReader implements HistoryPort {
  private readonly dataDir: string;
  private readonly events: HistoryEvents;
  private worker: Worker | undefined;
  private ended: Promise<void> = Promise.resolve();
  private closing = false;

  constructor(dataDir: string, events: HistoryEvents) {
    this.dataDir = dataDir;
    this.events = events;
  }

  readAfter(ticket: number, after: number, upTo: number, maxBytes: number): void {
    if (this.closing) return;
    this.worker ??= this.start();
    this.post({ kind: "read", request: { ticket, after, upTo, maxBytes } });
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.worker !== undefined) this.post({ kind: "close" });
    await this.ended;
  }

  private start(): Worker {
    const worker = startWorker("history-worker", { dataDir: this.dataDir });
    worker.on("message", (message: FromHistoryWorker) => this.receive(message));
    worker.on("error", (error: Error) =>
      this.events.onFailure(new StorageError("IO", error.message, { cause: error })),
    );
    this.ended = new Promise((resolve) => {
      worker.on("exit", () => resolve());
    });
    return worker;
  }

  private receive(message: FromHistoryWorker): void {
    switch (message.kind) {
      case "read":
        this.events.onHistory(message.ticket, { kind: "read", txns: decodeAll(message.bytes) });
        return;
      case "truncated":
        this.events.onHistory(message.ticket, { kind: "truncated", oldestZxid: message.oldestZxid });
        return;
      case "damaged":
        this.events.onDamage(new StorageError("CORRUPT", message.message));
        // To the client it is as if the log began after what it asked for.
        this.events.onHistory(message.ticket, { kind: "truncated", oldestZxid: message.upTo + 1 });
        return;
      case "failed":
        this.events.onFailure(new StorageError(message.code as StorageErrorCode, message.message));
    }
  }

  private post(message: ToHistoryWorker): void {
    this.worker!.postMessage(message);
  }
}

function decodeAll(bytes: Uint8Array): Txn[] {
  const reader = new ByteReader(bytes);
  const txns: Txn[] = [];
  while (!reader.done) txns.push(decodeTxn(reader));
  return txns;
}
