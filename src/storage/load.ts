/**
 * Loads tree.db into memory. Two threads read, verify and pack ranges of znodes; this one only adopts the packed chunks
 * into the tree, in the order of identities, while the next ranges are being read. The digest decides in the end.
 */
import type { Worker } from "node:worker_threads";
import { formatDigest } from "../tree/digest.ts";
import type { AclRow } from "../tree/acl.ts";
import { Tree } from "../tree/tree.ts";
import type { ZnodeChunk } from "../tree/znode-chunk.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { TablePages } from "./table-pages.ts";
import type { TreeState } from "./tree-schema.ts";
import { startWorker } from "./worker.ts";
import { readChunks } from "./znode-reader.ts";

export type ToLoadWorker =
  { readonly kind: "load"; readonly range: number; readonly leaves: readonly number[] } | { readonly kind: "close" };

export type FromLoadWorker =
  | { readonly kind: "chunk"; readonly range: number; readonly chunk: ZnodeChunk }
  | { readonly kind: "done"; readonly range: number }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

const threads = 2;
/** Smaller trees are read right here: starting a thread takes longer. */
const fewZnodes = 20_000;
/** Leaf pages in a range: with small znodes some tens of thousands, so that both threads end at about the same time. */
const leavesPerRange = 2048;

export interface TreeFile {
  readonly path: string;
  readonly state: TreeState;
  /** Root page of the table `znode`. */
  readonly root: number;
  readonly acls: readonly AclRow[];
}

/** The tree of a checkpoint at rest. Throws a StorageError when anything in it is damaged. */
export async function loadTree({ path, state, root, acls }: TreeFile): Promise<Tree> {
  const tree = Tree.forLoading(state.znodes);
  for (const { id, entries } of acls) if (tree.acls.find(entries) !== id) tree.acls.add(id, entries);
  const pages = new TablePages(path);
  try {
    const leaves = pages.leaves(root);
    if (state.znodes > fewZnodes) await loadInParallel(tree, path, leaves);
    else for (const chunk of readChunks(pages, leaves)) tree.adopt(chunk);
  } finally {
    pages.close();
  }
  tree.finishLoading(state.nextZnode);
  if (tree.count !== state.znodes || tree.digest !== state.digest) {
    const found = `${tree.count} znodes with digest ${formatDigest(tree.digest)}`;
    const expected = `${state.znodes} with ${formatDigest(state.digest)}`;
    throw new StorageError("CORRUPT", `tree.db has ${found} instead of ${expected}`);
  }
  return tree;
}

async function loadInParallel(tree: Tree, path: string, leaves: readonly number[]): Promise<void> {
  const load = new ParallelLoad(tree, path, leaves);
  try {
    await load.finished;
  } finally {
    // A descriptor that is closed later would drop the locks of whoever opens the file with SQLite then.
    await load.ended;
  }
}

class ParallelLoad {
  readonly ended: Promise<unknown>;
  readonly finished: Promise<void>;
  private readonly tree: Tree;
  private readonly leaves: readonly number[];
  private readonly rangeCount: number;
  private nextRange = 0;
  /** The range whose chunks are adopted as they come; later ones wait. */
  private adopting = 0;
  private readonly waiting = new Map<number, ZnodeChunk[]>();
  private readonly done = new Set<number>();
  private readonly workers: Worker[] = [];
  private resolve!: () => void;
  private reject!: (error: Error) => void;

  constructor(tree: Tree, path: string, leaves: readonly number[]) {
    this.tree = tree;
    this.leaves = leaves;
    this.rangeCount = Math.ceil(leaves.length / leavesPerRange);
    this.finished = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    const exits: Promise<unknown>[] = [];
    for (let i = 0; i < threads; i++) {
      const worker = startWorker("load-worker", { path });
      this.workers.push(worker);
      exits.push(
        new Promise((resolve) => {
          worker.on("exit", resolve);
        }),
      );
      worker.on("message", (message: FromLoadWorker) => this.receive(worker, message));
      worker.on("error", (error: Error) => this.fail(new StorageError("IO", error.message, { cause: error })));
      this.giveRange(worker);
    }
    this.ended = Promise.all(exits);
  }

  private giveRange(worker: Worker): void {
    const range = this.nextRange++;
    const leaves = this.leaves.slice(range * leavesPerRange, (range + 1) * leavesPerRange);
    const message: ToLoadWorker = range < this.rangeCount ? { kind: "load", range, leaves } : { kind: "close" };
    worker.postMessage(message);
  }

  private receive(worker: Worker, message: FromLoadWorker): void {
    if (message.kind === "failed") {
      this.fail(new StorageError(message.code as StorageErrorCode, message.message));
      return;
    }
    try {
      if (message.kind === "chunk") this.add(message.range, message.chunk);
      else {
        this.giveRange(worker);
        this.rangeDone(message.range);
      }
    } catch (error) {
      this.fail(new StorageError("CORRUPT", `tree.db is damaged: ${(error as Error).message}`, { cause: error }));
    }
  }

  private add(range: number, chunk: ZnodeChunk): void {
    if (range === this.adopting) {
      this.tree.adopt(chunk);
      return;
    }
    const chunks = this.waiting.get(range);
    if (chunks === undefined) this.waiting.set(range, [chunk]);
    else chunks.push(chunk);
  }

  private rangeDone(range: number): void {
    this.done.add(range);
    while (this.done.has(this.adopting)) {
      this.adopting++;
      for (const chunk of this.waiting.get(this.adopting) ?? []) this.tree.adopt(chunk);
      this.waiting.delete(this.adopting);
    }
    if (this.adopting === this.rangeCount) this.resolve();
  }

  private fail(error: StorageError): void {
    for (const worker of this.workers) worker.postMessage({ kind: "close" } satisfies ToLoadWorker);
    this.reject(error);
  }
}
