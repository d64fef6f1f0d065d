/** The log read back, for clients and for other servers: asked for, it arrives later. The worker starts with the first. */
import type { Worker } from "node:worker_threads";
import { ByteReader } from "../base/bytes.ts";
import type { HistoryPort, HistoryResult } from "../replica/ports.ts";
import { decodeTxn } from "../replica/txn-codec.ts";
import type { Txn } from "../tree/txn.ts";
import type { LogReadResult } from "../zab/durable-log.ts";
import type { FromHistoryWorker, HistoryRequest, ToHistoryWorker } from "./history-messages.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { startWorker } from "./worker.ts";

export interface HistoryEvents {
  onHistory(ticket: number, result: HistoryResult): void;
  onLogRead(ticket: number, result: LogReadResult): void;
  onFailure(error: StorageError): void;
  /** Old rows are damaged. Nothing that was acknowledged is at stake yet, so the server goes on. */
  onDamage(error: StorageError): void;
}

export class HistoryReader implements HistoryPort {
  /** Damaged rows were met up to here: who needs them must do with a checkpoint. */
  damagedZxid = 0;
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
    this.read({ ticket, after, upTo, maxBytes, reader: "client" });
  }

  /** Whatever is logged, committed or not. It sees what is on stable storage: the caller waits for what it needs. */
  readLog(ticket: number, after: number, maxBytes: number): void {
    this.read({ ticket, after, upTo: Infinity, maxBytes, reader: "server" });
  }

  private read(request: HistoryRequest): void {
    if (this.closing) return;
    this.worker ??= this.start();
    this.post({ kind: "read", request });
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
    if (message.kind === "failed") {
      this.events.onFailure(new StorageError(message.code as StorageErrorCode, message.message));
      return;
    }
    if (message.kind === "damaged") {
      this.damagedZxid = Math.max(this.damagedZxid, message.request.after + 1);
      this.events.onDamage(new StorageError("CORRUPT", message.message));
    }
    if (message.request.reader === "client") this.answerClient(message);
    else this.answerServer(message);
  }

  private answerClient(message: Exclude<FromHistoryWorker, { kind: "failed" }>): void {
    const { ticket, upTo } = message.request;
    if (message.kind === "read") {
      this.events.onHistory(ticket, { kind: "read", txns: decodeAll(message.bytes) });
      return;
    }
    // Where rows are damaged it is as if the log began after what was asked for.
    const oldestZxid = message.kind === "truncated" ? message.oldestZxid : upTo + 1;
    this.events.onHistory(ticket, { kind: "truncated", oldestZxid });
  }

  /** A server that cannot have the history gets a checkpoint. */
  private answerServer(message: Exclude<FromHistoryWorker, { kind: "failed" }>): void {
    const { ticket, after } = message.request;
    if (message.kind !== "read") this.events.onLogRead(ticket, undefined);
    else {
      const { bytes, boundaries } = message;
      this.events.onLogRead(ticket, { bytes, firstZxid: after + 1, boundaries });
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
