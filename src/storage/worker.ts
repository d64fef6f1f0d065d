/** Starting worker threads of this folder: TypeScript in a clone, JavaScript in the package. */
import { Worker, type WorkerOptions } from "node:worker_threads";

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** Starts `<name>.ts` or `<name>.js` beside this file. Heaps are small: workers move bytes, they keep few. */
export function startWorker(name: string, workerData: unknown, options: WorkerOptions = {}): Worker {
  return new Worker(new URL(`./${name}.${extension}`, import.meta.url), {
    workerData,
    // Flags of this process may be none that a worker takes.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 },
    ...options,
  });
}
