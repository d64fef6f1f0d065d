/** Verifies a checkpoint that rests in a file of its own, row by row, without making a tree of it. */
import { DigestSum, formatDigest } from "../tree/digest.ts";
import type { AclRow } from "../tree/acl.ts";
import { openForReading } from "./database.ts";
import { readSessions } from "./session-rows.ts";
import { asDamage, StorageError } from "./storage-error.ts";
import { TablePages } from "./table-pages.ts";
import { readAcls, readTreeState, treeFile, znodeRoot, type TreeState } from "./tree-schema.ts";
import { readChunks } from "./znode-reader.ts";

/** What a checkpoint says it is. */
export function readCheckpointState(path: string): TreeState {
  const db = openForReading(path, treeFile);
  try {
    return readTreeState(db);
  } catch (error) {
    throw asDamage(error, path) ?? error;
  } finally {
    db.close();
  }
}

/** A checkpoint held against its checksums and its digest. Throws a StorageError when anything in it is damaged. */
export class CheckpointCheck {
  readonly state: TreeState;
  readonly acls: readonly AclRow[];
  private readonly path: string;
  private readonly root: number;

  /** Reads and verifies everything but the znodes. */
  constructor(path: string) {
    this.path = path;
    const db = openForReading(path, treeFile);
    try {
      this.state = readTreeState(db);
      this.acls = readAcls(db);
      this.root = znodeRoot(db);
      readSessions(db);
    } catch (error) {
      throw asDamage(error, path) ?? error;
    } finally {
      db.close();
    }
  }

  /** Reads and verifies the znodes in steps: the caller may pause at each `yield`. */
  *znodes(): Generator<void, void> {
    const { state } = this;
    const pages = new TablePages(this.path);
    try {
      const digest = new DigestSum();
      let znodes = 0;
      for (const chunk of readChunks(pages, pages.leaves(this.root))) {
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
}
