/**
 * The older copy of the checkpoint, tree.old.db: with the log from it on, a rotten page in tree.db is not the end. Made
 * in small steps, and verified row by row before it takes the place of the one before.
 */
import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { leaveWal, syncPath } from "./database.ts";
import { asDamage } from "./storage-error.ts";
import type { TreeState } from "./tree-schema.ts";
import { CheckpointCheck, readCheckpointState } from "./tree-verify.ts";

const bytesPerStep = 1024 * 1024;

export class TreeCopy {
  private readonly current: string;
  /** Where the copy is. */
  readonly path: string;
  private readonly dataDir: string;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
    this.current = join(dataDir, "tree.db");
    this.path = join(dataDir, "tree.old.db");
  }

  /** The transaction that the copy is as of; 0 when there is none. */
  get zxid(): number {
    return this.state?.zxid ?? 0;
  }

  /** What the copy says it is; undefined when there is none that can be read. */
  get state(): TreeState | undefined {
    if (!existsSync(this.path)) return undefined;
    try {
      return readCheckpointState(this.path);
    } catch (error) {
      if (asDamage(error, this.path) === undefined) throw error;
      return undefined;
    }
  }

  /** Reads the copy from the beginning to the end, in steps. Throws a StorageError when it is damaged. */
  *verify(): Generator<void, void> {
    yield* new CheckpointCheck(this.path).znodes();
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
    yield* new CheckpointCheck(temporary).znodes();
    renameSync(temporary, this.path);
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
