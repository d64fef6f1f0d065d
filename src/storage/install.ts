/**
 * Installing a checkpoint of another server (SNAP) in place of the whole state, so that a crash at any moment leaves the
 * old state or the new one:
 *
 *   (a) the checkpoint is written to tree.fetch.db, verified, synced, and named tree.new.db. Nothing has changed yet:
 *       a start without a mark in the log deletes both.
 *   (b) one commit in log.db: the log begins anew after the checkpoint, and a mark says so; see LogStore.install.
 *   (c) tree.new.db takes the place of tree.db. A start that finds the mark and tree.new.db does this again; one that
 *       finds the mark alone expects tree.db to be that very checkpoint.
 *   (d) the history after it arrives, and the commit that makes the epoch current clears the mark.
 *
 * tree.new.db is always whole: only a verified file gets that name.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as endOfTurn } from "node:timers/promises";
import { parseFounding } from "../tree/detail.ts";
import type { LogPosition, SnapshotOffer } from "../zab/durable-log.ts";
import { syncPath } from "./database.ts";
import type { InstalledBase, LogBase } from "./log-state.ts";
import { asDamage, asStorageError, StorageError } from "./storage-error.ts";
import type { TreeState } from "./tree-schema.ts";
import { CheckpointCheck, readCheckpointState } from "./tree-verify.ts";

/** A checkpoint that another server offers, and what it must fit. */
export interface ExpectedSnapshot {
  readonly offer: SnapshotOffer;
  /** The last transaction of each epoch up to it; the last one is its own. */
  readonly boundaries: readonly LogPosition[];
  readonly clusterId: string;
}

/** (a): receives a checkpoint piece by piece. Whatever goes wrong, the state is as it was. */
export class SnapshotFile {
  private readonly dataDir: string;
  private readonly expected: ExpectedSnapshot;
  private readonly file: FileHandle;
  private written = 0;
  private state: "receiving" | "received" | "discarded" = "receiving";

  private constructor(dataDir: string, expected: ExpectedSnapshot, file: FileHandle) {
    this.dataDir = dataDir;
    this.expected = expected;
    this.file = file;
  }

  static async create(dataDir: string, expected: ExpectedSnapshot): Promise<SnapshotFile> {
    const { offer, boundaries } = expected;
    const end = boundaries.at(-1);
    if (end === undefined || end.zxid !== offer.at.zxid || end.epoch !== offer.at.epoch) {
      throw new StorageError("CORRUPT", `the checkpoint as of ${offer.at.zxid} does not end the history given with it`);
    }
    // One that was received before and never installed makes way.
    removeReceived(dataDir);
    const file = await open(join(dataDir, "tree.fetch.db"), "w", 0o600);
    return new SnapshotFile(dataDir, expected, file);
  }

  /** Writes the next piece. */
  async write(content: Uint8Array): Promise<void> {
    const { bytes } = this.expected.offer;
    this.checkReceiving();
    if (this.written + content.length > bytes) {
      throw new StorageError("CORRUPT", `the checkpoint is longer than the ${bytes} bytes that were offered`);
    }
    for (let at = 0; at < content.length;) {
      const { bytesWritten } = await this.file.write(content, at, content.length - at, this.written);
      at += bytesWritten;
      this.written += bytesWritten;
    }
  }

  /** Everything has come: verifies it and makes it durable. Returns what the log must know of it. */
  async complete(): Promise<LogBase> {
    this.checkReceiving();
    try {
      const { bytes } = this.expected.offer;
      if (this.written !== bytes) {
        throw new StorageError("CORRUPT", `the checkpoint has ${this.written} bytes instead of ${bytes}`);
      }
      await this.file.sync();
      const path = join(this.dataDir, "tree.fetch.db");
      const { state, acls } = await this.verified(path);
      await this.file.close();
      // From here on without a pause, so that nobody gives it up meanwhile.
      this.checkReceiving();
      renameSync(path, join(this.dataDir, "tree.new.db"));
      syncPath(this.dataDir);
      this.state = "received";
      const { zxid, epoch, crc, digest } = state;
      const { clusterId, boundaries } = this.expected;
      return { zxid, epoch, crc, digest, clusterId, boundaries, acls };
    } catch (error) {
      // Whatever happened to the files then is no fault of theirs.
      this.checkReceiving();
      await this.discard();
      throw asStorageError(error);
    }
  }

  /** Verification shares the thread with whoever keeps in touch with the other servers. */
  private async verified(path: string): Promise<CheckpointCheck> {
    const check = new CheckpointCheck(path);
    checkExpected(check.state, this.expected);
    for (const _ of check.znodes()) {
      await endOfTurn();
      this.checkReceiving();
    }
    return check;
  }

  /** Gives the checkpoint up, received or not. Afterwards another one may be received. */
  async discard(): Promise<void> {
    if (this.state === "discarded") return;
    this.state = "discarded";
    removeReceived(this.dataDir);
    await this.file.close();
  }

  private checkReceiving(): void {
    if (this.state !== "receiving") throw new StorageError("IO", "the checkpoint was given up");
  }
}

function checkExpected(state: TreeState, { offer, clusterId }: ExpectedSnapshot): void {
  const { at, digest, chainCrc } = offer;
  const isOffered =
    state.zxid === at.zxid && state.epoch === at.epoch && state.digest === digest && state.crc === chainCrc;
  if (!isOffered) throw new StorageError("CORRUPT", `the checkpoint received is not the one offered as of ${at.zxid}`);
  const cluster = state.founding === null ? "" : parseFounding(state.founding).clusterId;
  if (cluster !== clusterId) {
    throw new StorageError("CORRUPT", `the checkpoint received is of cluster ${cluster}, not of ${clusterId}`);
  }
}

function removeReceived(dataDir: string): void {
  for (const name of ["tree.fetch.db", "tree.new.db"]) rmSync(join(dataDir, name), { force: true });
}

/** Told when a place is passed at which a process may die. */
export type PassedSwapPoint = (point: "removed tree.db" | "renamed tree.new.db") => void;

/** (c): the checkpoint takes the place of the one before. Nobody has either of them open. */
export function swapCheckpoint(dataDir: string, passed?: PassedSwapPoint): void {
  // The older copy goes, too: the log from it on is not here any more. A write-ahead log must never meet another file.
  for (const name of ["tree.db-wal", "tree.db-shm", "tree.db", "tree.old.db"]) {
    rmSync(join(dataDir, name), { force: true });
  }
  syncPath(dataDir);
  passed?.("removed tree.db");
  renameSync(join(dataDir, "tree.new.db"), join(dataDir, "tree.db"));
  syncPath(dataDir);
  passed?.("renamed tree.new.db");
}

/** At a start: finishes (c) where the log has the mark, and removes what an installation left half made. */
export function finishInstallation(dataDir: string, installing: InstalledBase | undefined): void {
  const received = join(dataDir, "tree.new.db");
  if (installing !== undefined && existsSync(received) && isCheckpoint(received, installing)) swapCheckpoint(dataDir);
  removeReceived(dataDir);
}

function isCheckpoint(path: string, base: InstalledBase): boolean {
  try {
    return isBase(readCheckpointState(path), base);
  } catch (error) {
    if (asDamage(error, path) === undefined) throw error;
    return false;
  }
}

/** Whether a checkpoint is the one that the log continues. */
export function isBase(state: InstalledBase, base: InstalledBase): boolean {
  return (
    state.zxid === base.zxid && state.epoch === base.epoch && state.crc === base.crc && state.digest === base.digest
  );
}
