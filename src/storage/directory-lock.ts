/**
 * One process for each data directory: an exclusive SQLite lock on lock.db, which the kernel drops when the process
 * dies, however it dies. The owner's pid stands in the file's header, for the message of whoever comes second.
 */
import { openSync, readSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { touchPrivate, type Connection } from "./database.ts";
import { StorageError } from "./storage-error.ts";

const applicationId = 0x7a626c6b;
/** Where SQLite's header keeps user_version. */
const userVersionAt = 60;

export class DirectoryLock {
  private readonly db: Connection;

  constructor(dataDir: string) {
    const path = join(dataDir, "lock.db");
    touchPrivate(path);
    this.db = new Database(path, { timeout: 0 });
    try {
      // In this mode a connection keeps its locks after a commit, until it closes.
      this.db.pragma("locking_mode = EXCLUSIVE");
      this.db.pragma("journal_mode = DELETE");
      this.db.exec("BEGIN EXCLUSIVE");
      this.db.pragma(`application_id = ${applicationId}`);
      this.db.pragma(`user_version = ${process.pid}`);
      this.db.exec("COMMIT");
    } catch (error) {
      this.db.close();
      if (!String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY")) throw error;
      throw new StorageError(
        "IN_USE",
        `data directory ${dataDir} is in use by another zabtree server (pid ${ownerOf(path)})`,
      );
    }
  }

  release(): void {
    this.db.close();
  }
}

/**
 * The descriptor stays open on purpose: closing any descriptor of a file drops every POSIX lock the process has on it,
 * and the owner may be another part of this very process.
 */
function ownerOf(path: string): number {
  const bytes = Buffer.alloc(4);
  readSync(openSync(path, "r"), bytes, 0, 4, userVersionAt);
  return bytes.readUInt32BE(0);
}
