/** Files that cannot be used make way, under names that an operator understands. The newest damaged one is kept. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openForReading, syncPath } from "./database.ts";
import { logFile } from "./log-schema.ts";
import { readLogState, readMemberAcks } from "./log-state.ts";
import type { Losses } from "./losses.ts";

/** Puts log.db aside, and keeps the promises that can still be read in it. */
export function putLogAside(dataDir: string, losses: Losses): void {
  rename(dataDir, "log.db", "log.damaged.db");
  const path = join(dataDir, "log.damaged.db");
  if (!existsSync(path)) return;
  try {
    const db = openForReading(path, logFile);
    try {
      losses.acceptedEpoch = Math.max(losses.acceptedEpoch, readLogState(db).accepted_epoch);
      losses.memberAcks = readMemberAcks(db);
    } finally {
      db.close();
    }
  } catch {
    // Nothing can be read in it: what the watermark and the others remember must do.
  }
}

export function putCheckpointsAside(dataDir: string): void {
  rename(dataDir, "tree.db", "tree.damaged.db");
  rename(dataDir, "tree.old.db", "tree.old.damaged.db");
}

export function putCheckpointAside(dataDir: string): void {
  rename(dataDir, "tree.db", "tree.damaged.db");
}

/** A write-ahead log goes with its file: it may hold the greater part of it. */
function rename(dataDir: string, from: string, to: string): void {
  const source = join(dataDir, from);
  const target = join(dataDir, to);
  if (!existsSync(source)) return;
  for (const suffix of ["-wal", "-shm"]) rmSync(target + suffix, { force: true });
  rmSync(`${source}-shm`, { force: true });
  if (existsSync(`${source}-wal`)) renameSync(`${source}-wal`, `${target}-wal`);
  renameSync(source, target);
  syncPath(dataDir);
}
