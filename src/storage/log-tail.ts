/**
 * The log from a known point to its end, verified, as pieces of canonical bytes: what a start replays. After a kill
 * under load that is hundreds of thousands of transactions, so they are read from the file's pages, in a thread of their
 * own, and no objects are made of them on the way. Short tails are read right here: starting a thread takes longer.
 *
 * Where a foreign reader keeps the write-ahead log from being emptied, the pages are not all in the file, and SQLite
 * reads them.
 */
import { statSync } from "node:fs";
import type { Connection } from "./database.ts";
import { LogChain, type ChainPoint } from "./log-chain.ts";
import { LogPages, type LogPiece } from "./log-pages.ts";
import { scanLog } from "./log-scan.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { TablePages } from "./table-pages.ts";
import { startWorker } from "./worker.ts";

export type { LogPiece } from "./log-pages.ts";

export interface LogTailData {
  readonly path: string;
  readonly root: number;
  readonly point: ChainPoint;
}

export type ToLogTailWorker = "next" | "close";
export type FromLogTailWorker =
  | { readonly kind: "piece"; readonly piece: LogPiece }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** Fewer transactions are not worth a thread. */
const fewTransactions = 5000;
/** Pieces that are asked for ahead. */
const ahead = 3;
const pieceBytes = 512 * 1024;

/**
 * What follows `point`, up to the last transaction `last`. Throws a StorageError where it is damaged. When it ends, no
 * descriptor of the file is open any more, and `db` is to be closed before anything is written: closing a descriptor
 * drops the locks that the process has on the file, and with them what keeps a foreign process, when that closes the
 * file, from deleting the write-ahead log.
 */
export async function* logTail(db: Connection, point: ChainPoint, last: number): AsyncGenerator<LogPiece, void> {
  if (point.zxid >= last) return;
  const path = db.name;
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    yield* tailBySqlite(db, point);
    return;
  }
  const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'proposal'").pluck().get() as number;
  const data: LogTailData = { path, root, point };
  let reached = point.zxid;
  for await (const piece of last - point.zxid > fewTransactions ? tailByThread(data) : tailByPages(data)) {
    reached = piece.point.zxid;
    yield piece;
  }
  if (reached !== last)
    throw new StorageError("CORRUPT", `the pages of log.db end at transaction ${reached}, not ${last}`);
}

function* tailByPages({ path, root, point }: LogTailData): Generator<LogPiece, void> {
  const pages = new TablePages(path);
  try {
    yield* new LogPages(pages, root, point).pieces();
  } finally {
    pages.close();
  }
}

function* tailBySqlite(db: Connection, point: ChainPoint): Generator<LogPiece, void> {
  const chain = new LogChain(point);
  let gathered: Uint8Array[] = [];
  let length = 0;
  // What is proved: a transaction that fails has moved the chain already.
  let proved = point;
  const piece = (): LogPiece => ({ bytes: new Uint8Array(Buffer.concat(gathered)), point: proved });
  try {
    for (const stored of scanLog(db, point.zxid, Number.MAX_SAFE_INTEGER)) {
      const bytes = chain.verify(stored);
      gathered.push(bytes.slice());
      proved = chain.point;
      length += bytes.length;
      if (length < pieceBytes) continue;
      yield piece();
      gathered = [];
      length = 0;
    }
  } catch (error) {
    // What is before the damage is proved.
    if (gathered.length > 0) yield piece();
    throw error;
  }
  if (gathered.length > 0) yield piece();
}

async function* tailByThread(data: LogTailData): AsyncGenerator<LogPiece, void> {
  const worker = startWorker("log-tail-worker", data);
  const ended = new Promise((resolve) => {
    worker.on("exit", resolve);
  });
  const arrived: FromLogTailWorker[] = [];
  let wake: (() => void) | undefined;
  const arrive = (message: FromLogTailWorker): void => {
    arrived.push(message);
    wake?.();
  };
  worker.on("message", arrive);
  worker.on("error", (error: Error) => {
    arrive({ kind: "failed", code: "IO", message: error.message });
  });
  const ask = (what: ToLogTailWorker): void => {
    worker.postMessage(what);
  };
  try {
    for (let i = 0; i < ahead; i++) ask("next");
    for (;;) {
      const message = arrived.shift();
      if (message === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (message.kind === "end") return;
      if (message.kind === "failed") throw new StorageError(message.code as StorageErrorCode, message.message);
      ask("next");
      yield message.piece;
    }
  } finally {
    ask("close");
    await ended;
  }
}
