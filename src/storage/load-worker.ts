/** One of the threads that read tree.db at a start. Works through ranges of pages as they are given out. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { FromLoadWorker, ToLoadWorker } from "./load.ts";
import { asStorageError } from "./storage-error.ts";
import { TablePages } from "./table-pages.ts";
import { readChunks } from "./znode-reader.ts";

assert(parentPort !== null, "the load worker is a worker thread");
const port = parentPort;
const { path } = workerData as { path: string };
const pages = new TablePages(path);

function load(range: number, leaves: readonly number[]): void {
  for (const chunk of readChunks(pages, leaves)) {
    const message: FromLoadWorker = { kind: "chunk", range, chunk };
    const { addresses, chunks } = chunk.names;
    const views = [chunk.parents, addresses, ...chunks, ...chunk.data];
    port.postMessage(message, [chunk.records, ...views.map((view) => view.buffer)]);
  }
  port.postMessage({ kind: "done", range } satisfies FromLoadWorker);
}

port.on("message", (message: ToLoadWorker) => {
  if (message.kind === "close") {
    pages.close();
    port.close();
    return;
  }
  try {
    load(message.range, message.leaves);
  } catch (error) {
    const { code, message: text } = asStorageError(error);
    port.postMessage({ kind: "failed", code, message: text } satisfies FromLoadWorker);
  }
});
