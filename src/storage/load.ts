/**
 * Loads tree.db into memory. Two threads read, verify and pack ranges of znodes; this one only adopts the packed chunks
 * into the tree, in the order of identities, while the next ranges are being read. The digest decides in the end.
 */
import type { Worker } from "node:worker_threads";
import { formatDigest } from "../tree/digest.ts";
import { Tree } from "../tree/tree.ts";
import type { ZnodeChunk } from "../tree/znode-chunk.ts";
import type { Connection } from "./database.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";
import { rowChecksum, type TreeState } from "./tree-schema.ts";
import { startWorker } from "./worker.ts";
import { readChunks } from "./znode-reader.ts";

export type ToLoadWorker =
  | { readonly kind: "load"; readonly range: number; readonly after: number; readonly upTo: number }
  | { readonly kind: "close" };

export type FromLoadWorker =
  | { readonly kind: "chunk"; readonly range: number; readonly chunk: ZnodeChunk }
  | { readonly kind: "done"; readonly range: number }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

const threads = 2;
/** Smaller trees are read right here: starting a thread takes longer. */
const fewZnodes = 20_000;
/** Znodes in a range, if identities were dense. Small enough that both threads end at about the same time. */
const rangeZnodes = 64 * 1024;

/** The tree of a checkpoint. Throws a StorageError when anything in it is damaged. */
export async function loadTree(db: Connection, path: string, state: TreeState): Promise<Tree> {
  const tree = Tree.forLoading(state.znodes);
  for (const row of db.prepare("SELECT id, entries, checksum FROM acl ORDER BY id").raw(true).all()) {
    const [id, entries, checksum] = row as [number, string, number];
    if (rowChecksum([id, entries]) !== checksum) throw new StorageError("CORRUPT", `ACL ${id} in tree.db is damaged`);
    if (tree.acls.find(entries) !== id) tree.acls.add(id, entries);
  }
  if (state.znodes <= fewZnodes) {
    for (const chunk of readChunks(db, 0, state.nextZnode)) tree.adopt(chunk);
  } else await new ParallelLoad(tree, path, state).finished;
  tree.finishLoading(state.nextZnode);
  if (tree.count !== state.znodes || tree.digest !== state.digest) {
    const found = `${tree.count} znodes with digest ${formatDigest(tree.digest)}`;
    const expected = `${state.znodes} with ${formatDigest(state.digest)}`;
    throw new StorageError("CORRUPT", `tree.db has ${found} instead of ${expected}`);
  }
  return tree;
}

class ParallelLoad {
  readonly finished: Promise<void>;
  private readonly tree: Tree;
  private readonly rangeCount: number;
  private readonly rangeIds: number;
  private nextRange = 0;
  /** The range whose chunks are adopted as they come; later ones wait. */
  private adopting = 0;
  private readonly waiting = new Map<number, ZnodeChunk[]>();
  private readonly done = new Set<number>();
  private readonly workers: Worker[] = [];
  private resolve!: () => void;
  private reject!: (error: Error) => void;

  constructor(tree: Tree, path: string, state: TreeState) {
    this.tree = tree;
    this.rangeCount = Math.max(threads, Math.ceil(state.znodes / rangeZnodes));
    this.rangeIds = Math.ceil(state.nextZnode / this.rangeCount);
    this.finished = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    for (let i = 0; i < threads; i++) {
      const worker = startWorker("load-worker", { path });
      this.workers.push(worker);
      worker.on("message", (message: FromLoadWorker) => this.receive(worker, message));
      worker.on("error", (error: Error) => this.fail(new StorageError("IO", error.message, { cause: error })));
      this.giveRange(worker);
    }
  }

  private giveRange(worker: Worker): void {
    const range = this.nextRange++;
    const after = range * this.rangeIds;
    const message: ToLoadWorker =
      range < this.rangeCount ? { kind: "load", range, after, upTo: after + this.rangeIds } : { kind: "close" };
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
