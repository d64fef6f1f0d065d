/** The thread that reads and verifies the end of the log at a start. Sends a piece each time it is asked. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { LogPages } from "./log-pages.ts";
import type { FromLogTailWorker, LogTailData, ToLogTailWorker } from "./log-tail.ts";
import { asStorageError } from "./storage-error.ts";
import { TablePages } from "./table-pages.ts";

assert(parentPort !== null, "the worker that reads the log's end is a worker thread");
const port = parentPort;
const { path, root, point } = workerData as LogTailData;
const pages = new TablePages(path);
const pieces = new LogPages(pages, root, point).pieces();

function next(): void {
  try {
    const { done, value } = pieces.next();
    if (done === true) port.postMessage({ kind: "end" } satisfies FromLogTailWorker);
    else port.postMessage({ kind: "piece", piece: value } satisfies FromLogTailWorker, [value.bytes.buffer]);
  } catch (error) {
    const { code, message } = asStorageError(error);
    port.postMessage({ kind: "failed", code, message } satisfies FromLogTailWorker);
  }
}

port.on("message", (message: ToLogTailWorker) => {
  if (message === "next") {
    next();
    return;
  }
  pages.close();
  port.close();
});
