/**
 * The acknowledgement watermark: the last transaction that is known to be durable here, kept outside the database.
 *
 * SQLite drops the tail of a WAL from the first bad checksum on, without a word. This file is how we notice: a recovered
 * log that ends below the watermark has lost transactions that may have been acknowledged. A restored or damaged copy
 * of log.db shows in the same way.
 *
 *   file  = slot slot
 *   slot  = magic (4) counter (8) epoch (8) zxid (8) CRC-32 of these 28 bytes (4), low bytes first, in 512 bytes
 *
 * Slots are written in turn, so a torn write leaves the other one; the valid slot with the higher counter counts. A raise is
 * lazy and not synced: a watermark that is too low only notices less. A lowering, before rows are cut off, is synced.
 */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { LogPosition } from "../zab/durable-log.ts";
import { touchPrivate } from "./database.ts";

const magic = 0x4d57425a;
const slotBytes = 512;
const usedBytes = 32;

export class Watermark {
  private readonly file: number;
  private counter = 0;
  private position: LogPosition = { zxid: 0, epoch: 0 };

  constructor(path: string) {
    touchPrivate(path);
    this.file = openSync(path, "r+");
    for (const slot of [0, 1]) {
      const read = this.readSlot(slot);
      if (read === undefined || read.counter <= this.counter) continue;
      this.counter = read.counter;
      this.position = read.position;
    }
  }

  get current(): LogPosition {
    return this.position;
  }

  /** Whether a log that ends with this transaction has everything that the watermark claims. */
  isReachedBy(last: LogPosition): boolean {
    return this.position.zxid <= last.zxid && this.position.epoch <= last.epoch;
  }

  /** Moves up to a transaction that is durable. */
  raise(to: LogPosition): void {
    if (to.zxid > this.position.zxid || to.epoch > this.position.epoch) this.write(to);
  }

  /** Moves down, durably: from here on transactions above `to` may be missing. */
  lower(to: LogPosition): void {
    this.write(to);
    fsyncSync(this.file);
  }

  close(): void {
    closeSync(this.file);
  }

  private write(position: LogPosition): void {
    this.counter++;
    const slot = Buffer.alloc(usedBytes);
    slot.writeUInt32LE(magic, 0);
    slot.writeBigUInt64LE(BigInt(this.counter), 4);
    slot.writeBigUInt64LE(BigInt(position.epoch), 12);
    slot.writeBigUInt64LE(BigInt(position.zxid), 20);
    slot.writeUInt32LE(crc32(slot.subarray(0, 28)), 28);
    writeSync(this.file, slot, 0, usedBytes, (this.counter % 2) * slotBytes);
    this.position = position;
  }

  private readSlot(slot: number): { counter: number; position: LogPosition } | undefined {
    const bytes = Buffer.alloc(usedBytes);
    if (readSync(this.file, bytes, 0, usedBytes, slot * slotBytes) < usedBytes) return undefined;
    if (bytes.readUInt32LE(0) !== magic || bytes.readUInt32LE(28) !== crc32(bytes.subarray(0, 28))) return undefined;
    return {
      counter: Number(bytes.readBigUInt64LE(4)),
      position: { epoch: Number(bytes.readBigUInt64LE(12)), zxid: Number(bytes.readBigUInt64LE(20)) },
    };
  }
}
