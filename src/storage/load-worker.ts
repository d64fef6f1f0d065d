/** One of the threads that read tree.db at a start. Works through ranges of identities as they are given out. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { openForReading } from "./database.ts";
import type { FromLoadWorker, ToLoadWorker } from "./load.ts";
import { asStorageError } from "./storage-error.ts";
import { treeFile } from "./tree-schema.ts";
import { readChunks } from "./znode-reader.ts";

assert(parentPort !== null, "the load worker is a worker thread");
const port = parentPort;
const { path } = workerData as { path: string };
const db = openForReading(path, treeFile, { cacheKiB: 2048 });

function load(range: number, after: number, upTo: number): void {
  for (const chunk of readChunks(db, after, upTo)) {
    const message: FromLoadWorker = { kind: "chunk", range, chunk };
    port.postMessage(message, [chunk.records, chunk.parents.buffer, ...chunk.data.map((bytes) => bytes.buffer)]);
  }
  port.postMessage({ kind: "done", range } satisfies FromLoadWorker);
}

port.on("message", (message: ToLoadWorker) => {
  if (message.kind === "close") {
    db.close();
    port.close();
    return;
  }
  try {
    load(message.range, message.after, message.upTo);
  } catch (error) {
    const { code, message: text } = asStorageError(error);
    port.postMessage({ kind: "failed", code, message: text } satisfies FromLoadWorker);
  }
});
