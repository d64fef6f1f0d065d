/**
 * Opening SQLite files the one way that is durable: WAL, every commit synced, checkpoints only when asked for. Settings
 * are read back, because SQLite ignores a pragma it cannot carry out.
 */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "better-sqlite3";
import { asDamage, StorageError } from "./storage-error.ts";

export type Connection = Database.Database;
export type Statement = Database.Statement;

/** How long a statement waits for a lock of somebody else. */
const busyMs = 5000;

/** What a file of ours is, stored in its header where `file` and sqlite3 see it. */
export interface FileKind {
  readonly name: string;
  readonly applicationId: number;
  /** Version of the schema, as user_version. */
  readonly version: number;
  /** Creates the schema in an empty file. */
  create(db: Connection): void;
}

export interface OpenOptions {
  readonly readonly?: boolean;
  /** Page cache, in KiB. */
  readonly cacheKiB?: number;
}

/** Makes the data directory, closed to other users. A new one is durable: nothing in it survives without its name. */
export function makeDirectory(dir: string): void {
  const firstMade = mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  if (firstMade === undefined) return;
  for (let at = resolve(dir); ; at = dirname(at)) {
    syncPath(at);
    if (at.length < resolve(firstMade).length) return;
  }
}

/** Syncs a file, or the names in a directory. */
export function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Copies the WAL into the file, syncs it and empties the WAL. Returns false when a reader keeps it from that. */
export function emptyWal(db: Connection, waitMs = 500): boolean {
  db.pragma(`busy_timeout = ${waitMs}`);
  const [result] = db.pragma("wal_checkpoint(TRUNCATE)") as [{ busy: number }];
  db.pragma(`busy_timeout = ${busyMs}`);
  return result.busy === 0;
}

/**
 * Makes a file that others cannot read, if there is none; SQLite gives its -wal and -shm the same mode. An existing file
 * is not even opened: closing a descriptor drops every POSIX lock the process has on the file, SQLite's included.
 */
export function touchPrivate(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return;
  }
  // What is synced in it would be lost with its name.
  syncPath(dirname(path));
}

/** Opens a file of this kind for writing, creating it when it is missing or empty. */
export function openForWriting(path: string, kind: FileKind, options: OpenOptions = {}): Connection {
  touchPrivate(path);
  return open(path, kind, options, (db) => {
    setAndCheck(db, "journal_mode", "wal");
    setAndCheck(db, "synchronous", 2, "FULL");
    setAndCheck(db, "wal_autocheckpoint", 0);
    // A WAL that grew large once is cut when it starts over.
    setAndCheck(db, "journal_size_limit", 32 * 1024 * 1024);
    if (isEmpty(db)) create(db, kind);
  });
}

/** Opens a file of this kind for reading; it never checkpoints. */
export function openForReading(path: string, kind: FileKind, options: OpenOptions = {}): Connection {
  return open(path, kind, { ...options, readonly: true }, () => {});
}

/** Makes a closed file one that is read without a WAL beside it. */
export function leaveWal(path: string): void {
  const db = new Database(path);
  try {
    setAndCheck(db, "journal_mode", "delete");
  } finally {
    db.close();
  }
}

function open(path: string, kind: FileKind, options: OpenOptions, prepare: (db: Connection) => void): Connection {
  const readonly = options.readonly === true;
  let db: Connection;
  try {
    db = new Database(path, { readonly, fileMustExist: true, timeout: busyMs });
  } catch (error) {
    throw new StorageError("IO", `cannot open ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    setAndCheck(db, "trusted_schema", 0, "OFF");
    setAndCheck(db, "cell_size_check", 1, "ON");
    setAndCheck(db, "cache_size", -(options.cacheKiB ?? 4096));
    prepare(db);
    checkKind(db, path, kind);
    return db;
  } catch (error) {
    db.close();
    if (error instanceof StorageError) throw error;
    const problem = asDamage(error, path);
    throw problem ?? new StorageError("IO", `cannot open ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function setAndCheck(db: Connection, pragma: string, value: number | string, word?: string): void {
  db.pragma(`${pragma} = ${word ?? value}`);
  const actual: unknown = db.pragma(pragma, { simple: true });
  if (actual !== value) {
    throw new StorageError("IO", `SQLite keeps ${pragma} at ${String(actual)} instead of ${value}`);
  }
}

function isEmpty(db: Connection): boolean {
  return db.pragma("schema_version", { simple: true }) === 0;
}

function create(db: Connection, kind: FileKind): void {
  // One transaction: a crash leaves an empty file or a whole schema.
  db.transaction(() => {
    kind.create(db);
    db.pragma(`application_id = ${kind.applicationId}`);
    db.pragma(`user_version = ${kind.version}`);
  }).immediate();
}

function checkKind(db: Connection, path: string, kind: FileKind): void {
  if (db.pragma("application_id", { simple: true }) !== kind.applicationId) {
    throw new StorageError("FOREIGN", `${path} is not a zabtree ${kind.name}`);
  }
  const version = Number(db.pragma("user_version", { simple: true }));
  if (version !== kind.version) {
    const problem = `${path} has version ${version} of the ${kind.name} format`;
    throw new StorageError("FOREIGN", `${problem}; this zabtree reads version ${kind.version}`);
  }
}
