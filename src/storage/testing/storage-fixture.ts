/** For tests: a data directory that is removed afterwards, and a storage whose steps can be waited for. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteReader, ByteWriter } from "../../base/bytes.ts";
import { decodeTxn, encodeTxn } from "../../replica/txn-codec.ts";
import type { HistoryResult } from "../../replica/ports.ts";
import type { Txn } from "../../tree/txn.ts";
import type { LogReadResult } from "../../zab/durable-log.ts";
import { openStorage, type Storage, type StorageOptions } from "../index.ts";
import type { SampleHistory } from "./sample-history.ts";

export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "zabtree-storage-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** An open storage that plays the replica's part: numbers the steps, remembers what is persisted. */
export class StorageFixture {
  storage!: Storage;
  persisted = 0;
  failures: Error[] = [];
  private write = 0;
  private ticket = 0;
  private readonly reads = new Map<number, (result: HistoryResult) => void>();
  private readonly logReads = new Map<number, (result: LogReadResult) => void>();
  private readonly waiting = new Map<number, () => void>();

  static async open(dataDir: string, options: Partial<StorageOptions> = {}): Promise<StorageFixture> {
    const fixture = new StorageFixture();
    fixture.storage = await openStorage({
      dataDir,
      serverId: 1,
      onFailure: (error) => fixture.failures.push(error),
      onPersisted: (write) => fixture.onPersisted(write),
      onHistory: (ticket, result) => fixture.onHistory(ticket, result),
      onLogRead: (ticket, result) => fixture.onLogRead(ticket, result),
      ...options,
    });
    return fixture;
  }

  /** Comes into office, as the only member: the epoch after the last one, on top of what is logged. */
  async establish(): Promise<number> {
    const { acceptedEpoch, last, committed } = this.storage.recovered.durable;
    const epoch = acceptedEpoch + 1;
    this.storage.log.acceptEpoch(++this.write, epoch);
    this.storage.log.establishEpoch(++this.write, { epoch, last, committed });
    await this.until(this.write);
    return epoch;
  }

  /** Appends what a history added; resolves when it is durable. */
  append(history: SampleHistory, committedZxid?: number): Promise<void> {
    this.storage.log.append(++this.write, history.takeStep(committedZxid));
    return this.until(this.write);
  }

  commit(history: SampleHistory): Promise<void> {
    this.storage.log.commit(++this.write, { zxid: history.zxid, epoch: history.epoch });
    return this.until(this.write);
  }

  /** Transactions above `after`, as a resumed watch asks for them. */
  history(after: number, upTo: number, maxBytes = 1 << 20): Promise<HistoryResult> {
    const ticket = ++this.ticket;
    return new Promise((resolve) => {
      this.reads.set(ticket, resolve);
      this.storage.history.readAfter(ticket, after, upTo, maxBytes);
    });
  }

  /** What follows `after`, as another server asks for it. */
  readLog(after: number, maxBytes = 1 << 20): Promise<LogReadResult> {
    const ticket = ++this.ticket;
    return new Promise((resolve) => {
      this.logReads.set(ticket, resolve);
      this.storage.source.readLog(ticket, after, maxBytes);
    });
  }

  private onLogRead(ticket: number, result: LogReadResult): void {
    this.logReads.get(ticket)!(result);
    this.logReads.delete(ticket);
  }

  private onHistory(ticket: number, result: HistoryResult): void {
    this.reads.get(ticket)!(result);
    this.reads.delete(ticket);
  }

  private until(write: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.persisted >= write) resolve();
      else this.waiting.set(write, resolve);
    });
  }

  private onPersisted(write: number): void {
    if (write <= this.persisted) throw new Error("write ids are persisted in order");
    this.persisted = write;
    for (const [each, resolve] of this.waiting) {
      if (each > write) break;
      this.waiting.delete(each);
      resolve();
    }
  }
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The transactions in canonical bytes. */
export function decoded(bytes: Uint8Array | undefined): Txn[] {
  const txns: Txn[] = [];
  for (const reader = new ByteReader(bytes ?? new Uint8Array()); !reader.done;) txns.push(decodeTxn(reader));
  return txns;
}

/** The canonical bytes of transactions: equal bytes are equal transactions. */
export function encoded(txns: readonly Txn[]): Uint8Array {
  const writer = new ByteWriter();
  for (const txn of txns) encodeTxn(txn, writer);
  return writer.copy();
}
