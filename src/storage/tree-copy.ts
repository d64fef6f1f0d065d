/**
 * The older copy of the checkpoint, tree.old.db: with the log from it on, a rotten page in tree.db is not the end. Made
 * in small steps, and verified row by row before it takes the place of the one before.
 */
import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { formatDigest, DigestSum } from "../tree/digest.ts";
import { leaveWal, openForReading, syncPath } from "./database.ts";
import { StorageError } from "./storage-error.ts";
import { TablePages } from "./table-pages.ts";
import { readTreeState, treeFile, znodeRoot, type TreeState } from "./tree-schema.ts";
import { readChunks } from "./znode-reader.ts";

const bytesPerStep = 1024 * 1024;

export class TreeCopy {
  private readonly current: string;
  private readonly older: string;
  private readonly dataDir: string;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
    this.current = join(dataDir, "tree.db");
    this.older = join(dataDir, "tree.old.db");
  }

  /** The transaction that the copy is as of; 0 when there is none. */
  get zxid(): number {
    if (!existsSync(this.older)) return 0;
    return describe(this.older).state.zxid;
  }

  /**
   * Replaces the copy by one of tree.db as it is, in steps: the caller pauses at each `yield`. Until the end tree.db must
   * be closed, its WAL gone. Throws a StorageError when tree.db is damaged; the copy before then stays.
   */
  *make(): Generator<void, void> {
    const temporary = join(this.dataDir, "tree.copy.db");
    rmSync(temporary, { force: true });
    yield* this.copyTo(temporary);
    // A file without WAL needs no other files beside it to be read.
    leaveWal(temporary);
    yield* verify(temporary);
    renameSync(temporary, this.older);
    syncPath(this.dataDir);
  }

  private *copyTo(path: string): Generator<void, void> {
    // Closing a descriptor drops every lock that the process has on a file: another reason why tree.db must be closed.
    const from = openSync(this.current, "r");
    const to = openSync(path, "w", 0o600);
    try {
      const bytes = Buffer.alloc(bytesPerStep);
      for (let read = 0; (read = readSync(from, bytes, 0, bytesPerStep, null)) > 0;) {
        writeSync(to, bytes, 0, read);
        yield;
      }
      fsyncSync(to);
    } finally {
      closeSync(from);
      closeSync(to);
    }
  }
}

function* verify(path: string): Generator<void, void> {
  const { state, root } = describe(path);
  const pages = new TablePages(path);
  try {
    const digest = new DigestSum();
    let znodes = 0;
    for (const chunk of readChunks(pages, pages.leaves(root))) {
      digest.add(chunk.digest);
      znodes += chunk.count;
      yield;
    }
    if (znodes === state.znodes && digest.value === state.digest) return;
    const found = `${znodes} znodes with digest ${formatDigest(digest.value)}`;
    const expected = `${state.znodes} with ${formatDigest(state.digest)}`;
    throw new StorageError("CORRUPT", `tree.db has ${found} instead of ${expected}`);
  } finally {
    pages.close();
  }
}

function describe(path: string): { state: TreeState; root: number } {
  const db = openForReading(path, treeFile);
  try {
    return { state: readTreeState(db), root: znodeRoot(db) };
  } finally {
    db.close();
  }
}
