/**
 * Reads transactions back out of the log, in a thread of its own: a client or a server that resumes from far back must
 * not hold up anybody else. Rows are verified against the chain as they are read. Each request is one short read
 * transaction, so that it never pins the WAL for long.
 */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { ByteWriter } from "../base/bytes.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import { openForReading } from "./database.ts";
import type { FromHistoryWorker, HistoryRequest, ToHistoryWorker } from "./history-messages.ts";
import { LogChain } from "./log-chain.ts";
import { chainPointAt, scanLog } from "./log-scan.ts";
import { logFile } from "./log-schema.ts";
import { readLogState } from "./log-state.ts";
import { asDamage, asStorageError } from "./storage-error.ts";

assert(parentPort !== null, "the history worker is a worker thread");
const port = parentPort;
const { dataDir } = workerData as { dataDir: string };
const db = openForReading(join(dataDir, "log.db"), logFile, { cacheKiB: 4096 });
const writer = new ByteWriter(64 * 1024);

function read(request: HistoryRequest): FromHistoryWorker {
  const { after, upTo, maxBytes } = request;
  const state = readLogState(db);
  if (after < state.log_start - 1) return { kind: "truncated", request, oldestZxid: state.log_start };
  writer.reset();
  const boundaries: LogPosition[] = [];
  try {
    const chain = new LogChain(chainPointAt(db, state, after));
    for (const stored of scanLog(db, after, Math.min(upTo, Number.MAX_SAFE_INTEGER))) {
      const { epoch } = chain;
      writer.raw(chain.verify(stored));
      if (chain.epoch === epoch) boundaries.pop();
      boundaries.push({ zxid: chain.zxid, epoch: chain.epoch });
      if (writer.length >= maxBytes) break;
    }
  } catch (error) {
    const problem = asDamage(error, "log.db");
    if (problem === undefined) throw error;
    // What comes before the damage is sound; the next read begins with it.
    if (boundaries.length === 0) return { kind: "damaged", request, message: problem.message };
  }
  return { kind: "read", request, bytes: writer.copy() as Uint8Array<ArrayBuffer>, boundaries };
}

/** One read transaction: what it sees of the log's start fits what it sees of the rows. */
const readConsistently = db.transaction(read);

function answer(request: HistoryRequest): void {
  const result = readConsistently(request);
  port.postMessage(result, result.kind === "read" ? [result.bytes.buffer] : []);
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
