/**
 * The data directory of one server: opened by recovery, written by workers, closed so that the files stand alone.
 *
 *   log.db     every transaction, readable rows       tree.db    the tree as of one zxid, for a fast start
 *   lock.db    held while a server runs               watermark  how far the log must reach
 */
import type { LogPort, Recovered } from "../replica/ports.ts";
import { makeDirectory } from "./database.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { LogWriter } from "./log-port.ts";
import { recover } from "./recovery.ts";
import { asStorageError } from "./storage-error.ts";

export { StorageError } from "./storage-error.ts";

export interface StorageOptions {
  readonly dataDir: string;
  readonly serverId: number;
  /** Start although acknowledged transactions are missing. */
  readonly acceptLoss?: boolean;
  /** The durable path failed, or an invariant of a worker: the process must end, at once. Called once. */
  onFailure(error: Error): void;
  /** This durable step, and every one before it, is on stable storage. */
  onPersisted(write: number): void;
}

export interface Storage {
  readonly recovered: Recovered;
  readonly log: LogPort;
  /** Makes everything that was given to the log durable, and ends the workers. */
  close(): Promise<void>;
}

/** Opens a data directory, making it when it is missing. Throws a StorageError whose message is for the operator. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  makeDirectory(options.dataDir);
  const lock = new DirectoryLock(options.dataDir);
  const writer = new LogWriter(options);
  try {
    const recovered = recover({ ...options, acceptLoss: options.acceptLoss ?? false });
    await writer.open(options.dataDir);
    return {
      recovered,
      log: writer,
      async close() {
        await writer.close();
        lock.release();
      },
    };
  } catch (error) {
    await writer.close();
    lock.release();
    throw asStorageError(error);
  }
}
