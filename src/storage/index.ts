/**
 * The data directory of one server: opened by recovery, written by workers, closed so that the files stand alone.
 *
 *   log.db     every transaction, readable rows       tree.db    the tree as of one zxid, for a fast start
 *   lock.db    held while a server runs               watermark  how far the log must reach
 */
import { assert } from "../base/assert.ts";
import type { HistoryPort, HistoryResult, LogPort, Recovered } from "../replica/ports.ts";
import type { LogPosition, LogReadResult, LogSource, SnapshotOffer } from "../zab/durable-log.ts";
import { Checkpointer } from "./checkpoint.ts";
import { defaultPace, type CheckpointPace } from "./checkpoint-messages.ts";
import { makeDirectory } from "./database.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { DiskWatch, type DiskUse } from "./disk-watch.ts";
import { HistoryReader } from "./history.ts";
import { SnapshotFile, swapCheckpoint, type ExpectedSnapshot } from "./install.ts";
import { LogWriter } from "./log-port.ts";
import type { LogBase } from "./log-state.ts";
import { defaultRetention, type Retention } from "./retention.ts";
import { recover, type Recovery } from "./recovery.ts";
import { Snapshots, type OpenSnapshot } from "./snapshots.ts";
import { asStorageError, StorageError } from "./storage-error.ts";

export { StorageError } from "./storage-error.ts";
export type { ExpectedSnapshot } from "./install.ts";
export type { OpenSnapshot } from "./snapshots.ts";

export interface StorageOptions {
  readonly dataDir: string;
  readonly serverId: number;
  /**
   * Whether other servers have what this one has: then what is missing or damaged here is no reason not to start, but
   * one not to count; see `Recovered.durable.recovering`.
   */
  readonly ensemble?: boolean;
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
  /** What `source.readLog` asked for. */
  onLogRead?(ticket: number, result: LogReadResult): void;
  /** Data are missing or damaged: the operator should know. The server goes on without them. */
  onDamage?(error: StorageError): void;
}

export interface StorageStats extends DiskUse {
  /** The oldest transaction in the log. */
  readonly oldestZxid: number;
  /** The checkpoint is the tree as of this transaction. */
  readonly checkpointZxid: number;
}

/** A checkpoint of another server on its way here. Until it is installed nothing has changed. */
export interface IncomingSnapshot {
  /** Writes the next bytes. Rejects with a StorageError when they are not what was offered, or were given up. */
  write(content: Uint8Array): Promise<void>;
  /** All bytes have come: verifies them and makes them durable. Rejects when that fails; it is given up then. */
  complete(): Promise<void>;
  /** Whether it can be installed: it is complete, and the history here is still the one that it was offered for. */
  readonly fits: boolean;
  /** Gives it up. */
  discard(): Promise<void>;
}

export interface Storage {
  readonly recovered: Recovered;
  readonly log: LogPort;
  readonly source: LogSource;
  readonly history: HistoryPort;
  /** Makes a checkpoint ready to be fetched by another server; undefined when there can be none now. */
  prepareSnapshot(): Promise<SnapshotOffer | undefined>;
  /** Opens a checkpoint that was offered; undefined when it is there no longer. */
  openSnapshot(id: string): OpenSnapshot | undefined;
  /** Begins to receive a checkpoint of another server. One that is on its way is given up. */
  receiveSnapshot(expected: ExpectedSnapshot): Promise<IncomingSnapshot>;
  /**
   * Puts a checkpoint that fits in place of the whole state. From this call on the log takes no steps: the replica is
   * gone. Ends this storage, and resolves with the one in its place, as recovered as after a start. When it rejects the
   * process must end.
   */
  install(snapshot: IncomingSnapshot): Promise<Storage>;
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
  try {
    return await OpenStorage.open(options, lock);
  } catch (error) {
    lock.release();
    throw asStorageError(error);
  }
}

class OpenStorage implements Storage {
  readonly recovered: Recovered;
  readonly history: HistoryReader;
  readonly source: LogSource;
  readonly log: LogWriter;
  private readonly options: StorageOptions;
  private readonly lock: DirectoryLock;
  private readonly checkpointZxid: number;
  private readonly checkpointer: Checkpointer | undefined;
  private readonly snapshots: Snapshots;
  private readonly disk: DiskWatch;
  private incoming: Incoming | undefined;
  /** Another one has taken its place, or is about to. */
  private replaced = false;

  static async open(options: StorageOptions, lock: DirectoryLock): Promise<OpenStorage> {
    const writer = new LogWriter(options);
    try {
      const recovery = await recover({
        dataDir: options.dataDir,
        serverId: options.serverId,
        ensemble: options.ensemble ?? false,
        acceptLoss: options.acceptLoss ?? false,
        onDamage: (error) => options.onDamage?.(error),
      });
      await writer.open(options.dataDir);
      return new OpenStorage(options, lock, writer, recovery);
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  private constructor(options: StorageOptions, lock: DirectoryLock, writer: LogWriter, recovery: Recovery) {
    const { dataDir } = options;
    this.options = options;
    this.lock = lock;
    this.log = writer;
    this.recovered = recovery.recovered;
    this.checkpointZxid = recovery.checkpointZxid;
    this.checkpointer = this.startCheckpointer();
    this.snapshots = new Snapshots(dataDir, this.checkpointer);
    this.history = new HistoryReader(dataDir, {
      onHistory: (ticket, result) => options.onHistory(ticket, result),
      onLogRead: (ticket, result) => options.onLogRead?.(ticket, result),
      onFailure: (error) => options.onFailure(error),
      onDamage: (error) => options.onDamage?.(error),
    });
    this.source = this.logSource();
    this.disk = new DiskWatch(dataDir);
  }

  private startCheckpointer(): Checkpointer | undefined {
    const { options } = this;
    const { dataDir, checkpoint: pace = defaultPace, retention = defaultRetention } = options;
    if (pace === false) return undefined;
    return new Checkpointer({ dataDir, pace, retention }, this.checkpointZxid, {
      // Who fetches a checkpoint goes on from it with the log.
      onPurgeable: (upTo) => this.log.purge(Math.min(upTo, this.snapshots.neededAfter)),
      onDamage: (error) => options.onDamage?.(error),
      onFailure: (error) => options.onFailure(error),
    });
  }

  private logSource(): LogSource {
    const { log, history } = this;
    return {
      get oldestZxid() {
        return Math.max(log.oldestZxid, history.damagedZxid + 1);
      },
      readLog(ticket, after, maxBytes) {
        // The reader has a connection of its own, which sees what is committed to the file.
        log.whenPersisted(() => {
          history.readLog(ticket, after, maxBytes);
        });
      },
    };
  }

  prepareSnapshot(): Promise<SnapshotOffer | undefined> {
    return this.snapshots.prepare(this.source.oldestZxid - 1);
  }

  openSnapshot(id: string): OpenSnapshot | undefined {
    return this.snapshots.open(id);
  }

  async receiveSnapshot(expected: ExpectedSnapshot): Promise<IncomingSnapshot> {
    this.checkpointer?.rest(true);
    const before = this.incoming;
    const incoming = new Incoming(this.log, () => {
      if (this.incoming !== incoming) return;
      this.incoming = undefined;
      this.checkpointer?.rest(false);
    });
    this.incoming = incoming;
    await before?.discard();
    await incoming.begin(this.options.dataDir, expected);
    return incoming;
  }

  async install(snapshot: IncomingSnapshot): Promise<Storage> {
    const { options, incoming, log } = this;
    assert(snapshot === incoming && incoming.fits, "a checkpoint is installed that does not fit");
    this.replaced = true;
    try {
      this.stop();
      await log.drain();
      await this.history.close();
      await this.checkpointer?.close(false);
      await log.install(incoming.base!);
      await log.close();
      swapCheckpoint(options.dataDir);
      return await OpenStorage.open(options, this.lock);
    } catch (error) {
      await log.close();
      this.lock.release();
      throw asStorageError(error);
    }
  }

  stats(): StorageStats {
    const checkpointZxid = this.checkpointer?.zxid ?? this.checkpointZxid;
    return { ...this.disk.current, oldestZxid: this.log.oldestZxid, checkpointZxid };
  }

  private stop(): void {
    this.disk.stop();
    this.snapshots.close();
  }

  async close(committed?: LogPosition): Promise<void> {
    // The files belong to somebody else.
    if (this.replaced) return;
    this.stop();
    await this.incoming?.discard();
    await this.log.drain(committed);
    await this.history.close();
    await this.checkpointer?.close(!this.log.hasFailed);
    await this.log.close();
    this.lock.release();
  }
}

class Incoming implements IncomingSnapshot {
  base: LogBase | undefined;
  private readonly log: LogWriter;
  private readonly historySteps: number;
  private readonly onEnd: () => void;
  private file: Promise<SnapshotFile> | undefined;
  private discarding: Promise<void> | undefined;

  constructor(log: LogWriter, onEnd: () => void) {
    this.log = log;
    this.historySteps = log.historySteps;
    this.onEnd = onEnd;
  }

  async begin(dataDir: string, expected: ExpectedSnapshot): Promise<void> {
    await this.unlessItFails(async () => {
      if (this.discarding !== undefined) throw new StorageError("IO", "the checkpoint was given up");
      this.file = SnapshotFile.create(dataDir, expected);
      await this.file;
    });
  }

  async write(content: Uint8Array): Promise<void> {
    await this.unlessItFails(async () => (await this.file!).write(content));
  }

  async complete(): Promise<void> {
    await this.unlessItFails(async () => {
      this.base = await (await this.file!).complete();
    });
  }

  private async unlessItFails(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      await this.discard();
      throw asStorageError(error);
    }
  }

  get fits(): boolean {
    return this.base !== undefined && this.discarding === undefined && this.historySteps === this.log.historySteps;
  }

  /** Resolves when its files are gone, so that another one may be received. */
  discard(): Promise<void> {
    this.discarding ??= this.end();
    return this.discarding;
  }

  private async end(): Promise<void> {
    this.onEnd();
    try {
      await (await this.file)?.discard();
    } catch {
      // It was never created; or it cannot be closed: the next start removes it.
    }
  }
}
