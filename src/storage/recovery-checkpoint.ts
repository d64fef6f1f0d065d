/**
 * Where recovery starts from: tree.db if it is sound, else the older copy, else nothing at all, as long as the log
 * reaches back to it. A damaged file is put aside for the operator, never overwritten.
 */
import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SessionTable } from "../sessions/session-table.ts";
import { parseFounding, type Founding } from "../tree/detail.ts";
import { Tree } from "../tree/tree.ts";
import { emptyWal, openForReading, openForWriting, syncPath } from "./database.ts";
import { loadTree, type TreeFile } from "./load.ts";
import { putCheckpointAside } from "./put-aside.ts";
import { readSessions } from "./session-rows.ts";
import { asDamage, StorageError } from "./storage-error.ts";
import { readAcls, readTreeState, treeFile, znodeRoot, type TreeState } from "./tree-schema.ts";

/** A state to replay onto. */
export interface Start {
  readonly state: Pick<TreeState, "zxid" | "epoch" | "crc" | "digest" | "time">;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly founding: Founding | undefined;
}

/** What the log says about a checkpoint: whether replay can go on from it. */
export type CheckContinuation = (state: TreeState) => void;

export interface StartOptions {
  readonly dataDir: string;
  /** Throws a StorageError with code CORRUPT when the log does not continue this checkpoint. */
  readonly check: CheckContinuation;
  /** Whether the log holds everything from the first transaction on. */
  readonly fromScratch: boolean;
  onDamage(error: StorageError): void;
}

export async function findStart(options: StartOptions): Promise<Start> {
  const current = join(options.dataDir, "tree.db");
  const older = join(options.dataDir, "tree.old.db");
  // What a crash left half made.
  rmSync(join(options.dataDir, "tree.copy.db"), { force: true });
  if (existsSync(current)) {
    try {
      return await load(current, options.check);
    } catch (error) {
      const problem = asDamage(error, current);
      // Lost transactions are not mended by an older tree.
      if (problem === undefined) throw error;
      options.onDamage(problem);
      if (!options.fromScratch && !existsSync(older)) throw problem;
      putCheckpointAside(options.dataDir);
    }
  }
  if (existsSync(older)) {
    copyDurably(older, current, options.dataDir);
    return load(current, options.check);
  }
  if (!options.fromScratch) {
    throw new StorageError("CORRUPT", `${current} is missing, and the log no longer reaches back to the beginning`);
  }
  const state = { zxid: 0, epoch: 0, crc: 0, digest: 0, time: 0 };
  return { state, tree: Tree.initial(), sessions: new SessionTable(), founding: undefined };
}

async function load(path: string, check: CheckContinuation): Promise<Start> {
  const { file, sessions } = readSmallTables(path, check);
  const tree = await loadTree(file);
  if (file.path !== path) rmSync(file.path);
  const founding = file.state.founding === null ? undefined : parseFounding(file.state.founding);
  return { state: file.state, tree, sessions, founding };
}

/** Everything but the znodes; and the file at rest, for those who read its pages. */
function readSmallTables(path: string, check: CheckContinuation): { file: TreeFile; sessions: SessionTable } {
  const db = openForWriting(path, treeFile, { cacheKiB: 2048 });
  try {
    // Purged rows of the log live on in here alone: what is read must be what is on the disk.
    const atRest = emptyWal(db);
    const state = readTreeState(db);
    check(state);
    const sessions = readSessions(db);
    const acls = readAcls(db);
    if (atRest) return { file: { path, state, root: znodeRoot(db), acls }, sessions };
    // A foreign reader keeps the WAL from being emptied: the pages are read from a copy without one.
    const copy = path.replace(/tree\.db$/, "tree.copy.db");
    rmSync(copy, { force: true });
    db.prepare("VACUUM INTO ?").run(copy);
    return { file: { path: copy, state, root: rootIn(copy), acls }, sessions };
  } finally {
    db.close();
  }
}

function rootIn(path: string): number {
  const db = openForReading(path, treeFile);
  try {
    return znodeRoot(db);
  } finally {
    db.close();
  }
}

function copyDurably(from: string, to: string, dataDir: string): void {
  const temporary = join(dataDir, "tree.copy.db");
  copyFileSync(from, temporary);
  syncPath(temporary);
  renameSync(temporary, to);
  syncPath(dataDir);
}
