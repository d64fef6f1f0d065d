/**
 * Reads committed transactions back out of the log, in a thread of its own: a client that resumes from far back must not
 * hold up anybody else. Rows are verified against the chain as they are read. Each request is one short read
 * transaction, so that it never pins the WAL for long.
 */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { ByteWriter } from "../base/bytes.ts";
import { openForReading } from "./database.ts";
import type { FromHistoryWorker, HistoryRequest, ToHistoryWorker } from "./history-messages.ts";
import { LogChain } from "./log-chain.ts";
import { chainPointAt, scanLog } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import { readLogState } from "./log-store.ts";
import { asStorageError, StorageError } from "./storage-error.ts";

assert(parentPort !== null, "the history worker is a worker thread");
const port = parentPort;
const { dataDir } = workerData as { dataDir: string };
const db = openForReading(join(dataDir, "log.db"), logFile, { cacheKiB: 4096 });
const writer = new ByteWriter(64 * 1024);

function read(request: HistoryRequest): FromHistoryWorker {
  const { ticket, after, upTo, maxBytes } = request;
  const state = readLogState(db);
  if (after < state.log_start - 1) return { kind: "truncated", ticket, oldestZxid: state.log_start };
  writer.reset();
  const chain = new LogChain(chainPointAt(db, state, after));
  for (const stored of scanLog(db, after, upTo)) {
    writer.raw(chain.verify(stored));
    if (writer.length >= maxBytes) break;
  }
  return { kind: "read", ticket, bytes: writer.copy() as Uint8Array<ArrayBuffer> };
}

/** One read transaction: what it sees of the log's start fits what it sees of the rows. */
const readConsistently = db.transaction(read);

function answer(request: HistoryRequest): void {
  try {
    const result = readConsistently(request);
    port.postMessage(result, result.kind === "read" ? [result.bytes.buffer] : []);
  } catch (error) {
    const { ticket, upTo } = request;
    const message = (error as Error).message;
    if (!(error instanceof StorageError) || error.code !== "CORRUPT") throw error;
    port.postMessage({ kind: "damaged", ticket, upTo, message } satisfies FromHistoryWorker);
  }
}

port.on("message", (message: ToHistoryWorker) => {
  if (message.kind === "close") {
    db.close();
    port.close();
    return;
  }
  try {
    answer(message.request);
  } catch (error) {
    const { code, message: text } = asStorageError(error);
    port.postMessage({ kind: "failed", code, message: text } satisfies FromHistoryWorker);
  }
});
