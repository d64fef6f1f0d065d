/**
 * The data directory of one server: opened by recovery, written by workers, closed so that the files stand alone.
 *
 *   log.db     every transaction, readable rows       tree.db    the tree as of one zxid, for a fast start
 *   lock.db    held while a server runs               watermark  how far the log must reach
 */
import type { HistoryPort, HistoryResult, LogPort, Recovered } from "../replica/ports.ts";
import type { LogPosition } from "../zab/durable-log.ts";
import { Checkpointer } from "./checkpoint.ts";
import { defaultPace, type CheckpointPace } from "./checkpoint-messages.ts";
import { makeDirectory } from "./database.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { DiskWatch, type DiskUse } from "./disk-watch.ts";
import { HistoryReader } from "./history.ts";
import { LogWriter } from "./log-port.ts";
import { defaultRetention, type Retention } from "./retention.ts";
import { recover } from "./recovery.ts";
import { asStorageError, type StorageError } from "./storage-error.ts";

export { StorageError } from "./storage-error.ts";

export interface StorageOptions {
  readonly dataDir: string;
  readonly serverId: number;
  /** Start although acknowledged transactions are missing. */
  readonly acceptLoss?: boolean;
  /** When the checkpoint follows the log; false for never. */
  readonly checkpoint?: CheckpointPace | false;
  /** How much of the log is kept. */
  readonly retention?: Retention;
  /** A worker failed, above all the writer of the log: the process must end, at once. */
  onFailure(error: StorageError): void;
  /** This durable step, and every one before it, is on stable storage. */
  onPersisted(write: number): void;
  /** What `history.readAfter` asked for. */
  onHistory(ticket: number, result: HistoryResult): void;
  /** Old rows of the log are damaged: the operator should know. The server goes on without them. */
  onDamage?(error: StorageError): void;
}

export interface StorageStats extends DiskUse {
  /** The oldest transaction in the log. */
  readonly oldestZxid: number;
  /** The checkpoint is the tree as of this transaction. */
  readonly checkpointZxid: number;
}

export interface Storage {
  readonly recovered: Recovered;
  readonly log: LogPort;
  readonly history: HistoryPort;
  stats(): StorageStats;
  /**
   * Makes everything that was given to the log durable, moves the stored commit point to `committed`, folds the
   * checkpoint up to it, and ends the workers: the files then stand alone, without write-ahead logs.
   */
  close(committed?: LogPosition): Promise<void>;
}

/** Opens a data directory, making it when it is missing. Throws a StorageError whose message is for the operator. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { dataDir } = options;
  makeDirectory(dataDir);
  const lock = new DirectoryLock(dataDir);
  const writer = new LogWriter(options);
  try {
    const recovered = await recover({
      dataDir,
      serverId: options.serverId,
      acceptLoss: options.acceptLoss ?? false,
      onDamage: (error) => options.onDamage?.(error),
    });
    await writer.open(dataDir);
    const pace = options.checkpoint ?? defaultPace;
    const checkpointer =
      pace === false
        ? undefined
        : new Checkpointer(
            { dataDir, pace, retention: options.retention ?? defaultRetention },
            {
              onPurgeable: (upTo) => writer.purge(upTo),
              onDamage: (error) => options.onDamage?.(error),
              onFailure: (error) => options.onFailure(error),
            },
          );
    const history = new HistoryReader(dataDir, {
      onHistory: (ticket, result) => options.onHistory(ticket, result),
      onFailure: (error) => options.onFailure(error),
      onDamage: (error) => options.onDamage?.(error),
    });
    const disk = new DiskWatch(dataDir);
    return {
      recovered,
      log: writer,
      history,
      stats: () => ({ ...disk.current, oldestZxid: writer.oldestZxid, checkpointZxid: checkpointer?.zxid ?? 0 }),
      async close(committed) {
        disk.stop();
        await writer.drain(committed);
        await history.close();
        await checkpointer?.close(!writer.hasFailed);
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
