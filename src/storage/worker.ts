/** Starting worker threads of this folder: TypeScript in a clone, JavaScript in the package. */
import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** Starts `<name>.ts` or `<name>.js` beside this file. Heaps are small: workers move bytes, they keep few. */
export function startWorker(name: string, workerData: unknown, options: WorkerOptions = {}): Worker {
  return new Worker(new URL(`./${name}.${extension}`, import.meta.url), {
    workerData,
    // Flags of this process may be none that a worker takes.
    execArgv: [],
    env: environment(),
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 },
    ...options,
  });
}

/**
 * A thread does not inherit this one's compile cache, and without it each would strip the types of its sources anew:
 * tens of milliseconds at its start, and the compiler's memory for good.
 */
function environment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
}
