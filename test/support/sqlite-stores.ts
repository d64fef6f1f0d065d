/**
 * The SQLite storage behind the interface of the storage scenarios, twice: as the server uses it, with its threads, and
 * its parts on this thread, where a process can be made to die at any point. To die is to leave the files as they are.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { assert } from "../../src/base/assert.ts";
import { emptyWal, openForReading, openForWriting } from "../../src/storage/database.ts";
import { Fold } from "../../src/storage/fold.ts";
import { HistoryReader } from "../../src/storage/history.ts";
import { openStorage, type Storage } from "../../src/storage/index.ts";
import { SnapshotFile, swapCheckpoint } from "../../src/storage/install.ts";
import { LogBatches } from "../../src/storage/log-batches.ts";
import type { LogStep } from "../../src/storage/log-messages.ts";
import { LogWriter } from "../../src/storage/log-port.ts";
import { logFile } from "../../src/storage/log-schema.ts";
import { readLogState } from "../../src/storage/log-state.ts";
import { recover } from "../../src/storage/recovery.ts";
import { StorageError } from "../../src/storage/storage-error.ts";
import { sampleClusterId } from "../../src/storage/testing/sample-history.ts";
import { temporaryDirectory } from "../../src/storage/testing/storage-fixture.ts";
import { TreeCopy } from "../../src/storage/tree-copy.ts";
import { treeFile } from "../../src/storage/tree-schema.ts";
import type { DurableLog, LogPosition, LogReadResult, SnapshotOffer } from "../../src/zab/durable-log.ts";
import type { CrashPoint, DurableStore, Found } from "./storage-scenarios.ts";

/** Longer than the watermark lags. */
const watermarkLagMs = 150;

/** The files of a process, which a kill leaves for the next one to find in a new place. */
class Files {
  private readonly parent = temporaryDirectory();
  private count = 0;

  constructor() {
    mkdirSync(this.path);
  }

  get path(): string {
    return join(this.parent.path, String(this.count));
  }

  /** What the process has written so far, as the next one will find it. */
  leave(losing: "last commit" | undefined): void {
    const before = this.path;
    this.count++;
    // The shared memory of a write-ahead log is rebuilt by whoever comes next, as after a crash of the machine.
    cpSync(before, this.path, {
      recursive: true,
      filter: (name) => !name.endsWith("-shm") && !name.endsWith("lock.db"),
    });
    if (losing !== undefined) this.tearWal();
  }

  private tearWal(): void {
    const path = join(this.path, "log.db-wal");
    const bytes = readFileSync(path);
    bytes[bytes.length - 100]! ^= 0x55;
    writeFileSync(path, bytes);
  }

  remove(): void {
    this.parent.remove();
  }
}

/** The storage as a server opens it. */
export class ThreadedStore implements DurableStore {
  persisted = 0;
  private readonly files = new Files();
  private storage!: Storage;
  private lastWrite = 0;
  private failure: StorageError | undefined;
  private tickets = 0;
  private readonly reads = new Map<number, (result: LogReadResult) => void>();

  static async make(): Promise<ThreadedStore> {
    const store = new ThreadedStore();
    await store.recover();
    return store;
  }

  /** Notes the write id of each step on its way. */
  readonly log: DurableLog = {
    acceptEpoch: (write, epoch) => this.next(write).acceptEpoch(write, epoch),
    establishEpoch: (write, step) => this.next(write).establishEpoch(write, step),
    append: (write, step) => this.next(write).append(write, step),
    truncate: (write, to) => this.next(write).truncate(write, to),
    commit: (write, point) => this.next(write).commit(write, point),
    rememberAcks: (write, acks) => this.next(write).rememberAcks(write, acks),
    form: (write, forming) => this.next(write).form(write, forming),
    markRecovering: (write, reason) => this.next(write).markRecovering(write, reason),
  };

  private next(write: number): DurableLog {
    this.lastWrite = write;
    return this.storage.log;
  }

  get oldestZxid(): number {
    return this.storage.source.oldestZxid;
  }

  get isDead(): boolean {
    return this.failure !== undefined;
  }

  async settle(): Promise<void> {
    while (this.persisted < this.lastWrite && !this.isDead) await pause(1);
  }

  readLog(after: number, maxBytes: number): Promise<LogReadResult> {
    const ticket = ++this.tickets;
    return new Promise((resolve) => {
      this.reads.set(ticket, resolve);
      this.storage.source.readLog(ticket, after, maxBytes);
    });
  }

  crashAt(): void {
    throw new Error("threads do not die at a point");
  }

  async crash(losing?: "last commit"): Promise<void> {
    if (losing !== undefined) await pause(watermarkLagMs);
    this.files.leave(losing);
    await this.storage.close();
  }

  async recover(): Promise<Found> {
    this.persisted = 0;
    this.lastWrite = 0;
    this.failure = undefined;
    this.storage = await openStorage({
      dataDir: this.files.path,
      serverId: 1,
      ensemble: true,
      // It folds when it is asked for a copy.
      checkpoint: { behindTransactions: 1e9, behindMs: 1e9 },
      onFailure: (error) => (this.failure = error),
      onPersisted: (write) => (this.persisted = write),
      onHistory: () => undefined,
      onLogRead: (ticket, result) => {
        this.reads.get(ticket)!(result);
        this.reads.delete(ticket);
      },
    });
    return this.found();
  }

  private found(): Found {
    const { durable, tree } = this.storage.recovered;
    return { durable, digest: tree.digest };
  }

  async purge(upTo: number): Promise<void> {
    const { log } = this.storage;
    assert(log instanceof LogWriter, "the log of a storage is a LogWriter");
    log.purge(upTo);
    while (this.oldestZxid <= upTo) await pause(1);
  }

  prepare(): Promise<SnapshotOffer | undefined> {
    return this.storage.prepareSnapshot();
  }

  async install(from: DurableStore, offer: SnapshotOffer, boundaries: readonly LogPosition[]): Promise<void> {
    const incoming = await this.storage.receiveSnapshot({ offer, boundaries, clusterId: sampleClusterId });
    assert(from instanceof ThreadedStore, "checkpoints go between stores of one kind");
    const snapshot = from.storage.openSnapshot(offer.id)!;
    const piece = 10_000;
    for (let at = 0; at < snapshot.bytes; at += piece) await incoming.write(await snapshot.read(at, piece));
    snapshot.close();
    await incoming.complete();
    this.storage = await this.storage.install(incoming);
    this.persisted = 0;
    this.lastWrite = 0;
  }

  async dispose(): Promise<void> {
    await this.storage.close();
    this.files.remove();
  }
}

class Death extends Error {
  override readonly name = "Death";
}

/** The parts of the storage, one after the other on this thread. */
export class SteppedStore implements DurableStore {
  persisted = 0;
  isDead = false;
  private readonly files = new Files();
  private batches!: LogBatches;
  private history!: HistoryReader;
  private turn: LogStep[] = [];
  private trap: CrashPoint | undefined;
  private incoming: SnapshotFile | undefined;
  private tickets = 0;
  private readonly reads = new Map<number, (result: LogReadResult) => void>();

  static async make(): Promise<SteppedStore> {
    const store = new SteppedStore();
    await store.recover();
    return store;
  }

  readonly log: DurableLog = {
    acceptEpoch: (write, epoch) => this.turn.push({ kind: "acceptEpoch", write, epoch }),
    establishEpoch: (write, step) => this.turn.push({ kind: "establishEpoch", write, step }),
    append: (write, step) => this.turn.push({ kind: "append", write, step }),
    truncate: (write, to) => this.turn.push({ kind: "truncate", write, to }),
    commit: (write, point) => this.turn.push({ kind: "commit", write, point }),
    rememberAcks: (write, acks) => this.turn.push({ kind: "rememberAcks", write, acks }),
    form: (write, forming) => this.turn.push({ kind: "form", write, forming }),
    markRecovering: (write, reason) => this.turn.push({ kind: "markRecovering", write, reason }),
  };

  get oldestZxid(): number {
    return this.batches.oldestZxid;
  }

  private readonly passed = (point: string): void => {
    if (point === this.trap) throw new Death(point);
  };

  /** Runs something that may be the end; returns whether it was not. */
  private survives(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      if (!(error instanceof Death || error instanceof StorageError)) throw error;
      this.isDead = true;
      return false;
    }
  }

  settle(): Promise<void> {
    const steps = this.turn;
    this.turn = [];
    if (steps.length > 0 && !this.isDead) {
      this.survives(() => {
        this.batches.write(steps);
        this.persisted = steps.at(-1)!.write;
        this.batches.raiseWatermark();
      });
    }
    return Promise.resolve();
  }

  async readLog(after: number, maxBytes: number): Promise<LogReadResult> {
    await this.settle();
    const ticket = ++this.tickets;
    return new Promise((resolve) => {
      this.reads.set(ticket, resolve);
      this.history.readLog(ticket, after, maxBytes);
    });
  }

  crashAt(point: CrashPoint): void {
    this.trap = point;
  }

  async crash(losing?: "last commit"): Promise<void> {
    this.files.leave(losing);
    await this.close();
  }

  private async close(): Promise<void> {
    await this.incoming?.discard();
    this.incoming = undefined;
    await this.history.close();
    try {
      this.batches.close();
    } catch {
      // It died in the midst of a transaction.
    }
  }

  async recover(): Promise<Found> {
    this.persisted = 0;
    this.isDead = false;
    this.turn = [];
    this.trap = undefined;
    const dataDir = this.files.path;
    const options = { dataDir, serverId: 1, ensemble: true, acceptLoss: false, onDamage: () => undefined };
    const { durable, tree } = (await recover(options)).recovered;
    this.batches = new LogBatches(dataDir, this.passed);
    this.history = new HistoryReader(dataDir, {
      onHistory: () => undefined,
      onLogRead: (ticket, result) => this.reads.get(ticket)!(result),
      onFailure: (error) => {
        throw error;
      },
      onDamage: (error) => {
        throw error;
      },
    });
    return { durable, digest: tree.digest };
  }

  purge(upTo: number): Promise<void> {
    while (this.batches.purge(upTo, 5));
    return Promise.resolve();
  }

  prepare(): Promise<SnapshotOffer | undefined> {
    const dataDir = this.files.path;
    const log = openForReading(join(dataDir, "log.db"), logFile);
    const tree = openForWriting(join(dataDir, "tree.db"), treeFile);
    const fold = new Fold(log, tree);
    fold.scan(readLogState(log).committed_zxid);
    for (const _ of fold.write());
    emptyWal(tree);
    tree.close();
    log.close();
    const copy = new TreeCopy(dataDir);
    for (const _ of copy.make());
    const { zxid, epoch, crc: chainCrc, digest } = copy.state!;
    const { length: bytes } = readFileSync(copy.path);
    return Promise.resolve({ id: String(zxid), at: { zxid, epoch }, bytes, digest, chainCrc });
  }

  async install(from: DurableStore, offer: SnapshotOffer, boundaries: readonly LogPosition[]): Promise<void> {
    const dataDir = this.files.path;
    const expected = { offer, boundaries, clusterId: sampleClusterId };
    const file = await SnapshotFile.create(dataDir, expected);
    this.incoming = file;
    assert(from instanceof SteppedStore, "checkpoints go between stores of one kind");
    await file.write(readFileSync(join(from.files.path, "tree.old.db")));
    if (!this.survives(() => this.passed("before checkpoint stored"))) return;
    const base = await file.complete();
    const isInstalled = this.survives(() => {
      this.passed("after checkpoint stored");
      this.batches.install(base);
      swapCheckpoint(dataDir, (point) => this.passed(point === "removed tree.db" ? "while swapping" : "after swap"));
    });
    if (!isInstalled) return;
    await this.close();
    await this.recover();
  }

  async dispose(): Promise<void> {
    await this.close();
    this.files.remove();
  }
}
