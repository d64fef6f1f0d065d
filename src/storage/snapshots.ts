/**
 * Checkpoints that this server offers to others. What is offered is held open: whatever takes its name in the directory,
 * its bytes stay as they are. An offer that nobody fetches for a while is let go.
 */
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { SnapshotOffer } from "../zab/durable-log.ts";
import type { Checkpointer } from "./checkpoint.ts";
import type { CheckpointCopy } from "./checkpoint-messages.ts";
import { StorageError } from "./storage-error.ts";

const idleMs = 60_000;
/** The copy was replaced before it could be opened: how often that is tried. */
const openTries = 5;

/** A checkpoint that somebody fetches. */
export interface OpenSnapshot {
  /** Length, bytes. */
  readonly bytes: number;
  /** Fewer bytes only at the end. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** One file, held open while somebody reads it, and a while longer. */
class Offered {
  readonly offer: SnapshotOffer;
  private readonly file: FileHandle;
  private readonly released: () => void;
  private readers = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(offer: SnapshotOffer, file: FileHandle, released: () => void) {
    this.offer = offer;
    this.file = file;
    this.released = released;
    this.touch();
  }

  /** Somebody is about to fetch it. */
  touch(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.readers === 0) this.release();
    }, idleMs);
    this.timer.unref();
  }

  open(): OpenSnapshot {
    this.readers++;
    let isOpen = true;
    return {
      bytes: this.offer.bytes,
      read: async (offset, length) => {
        const buffer = new Uint8Array(Math.max(0, Math.min(length, this.offer.bytes - offset)));
        for (let at = 0; at < buffer.length;) {
          const { bytesRead } = await this.file.read(buffer, at, buffer.length - at, offset + at);
          if (bytesRead === 0) throw new StorageError("IO", `checkpoint ${this.offer.id} is shorter than it was`);
          at += bytesRead;
        }
        return buffer;
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.readers--;
        this.touch();
      },
    };
  }

  release(): void {
    clearTimeout(this.timer);
    this.released();
    void this.file.close();
  }
}

export class Snapshots {
  private readonly dataDir: string;
  private readonly checkpointer: Checkpointer | undefined;
  private readonly offered = new Map<string, Offered>();
  private closed = false;

  constructor(dataDir: string, checkpointer: Checkpointer | undefined) {
    this.dataDir = dataDir;
    this.checkpointer = checkpointer;
  }

  /** Makes a checkpoint as of `least` or later ready to be fetched; undefined when there can be none now. */
  async prepare(least: number): Promise<SnapshotOffer | undefined> {
    for (let tries = 0; tries < openTries; tries++) {
      const copy = await this.checkpointer?.copy(least);
      if (copy === undefined || this.closed) return undefined;
      const known = this.offered.get(idOf(copy));
      if (known !== undefined) {
        known.touch();
        return known.offer;
      }
      const offered = await this.hold(copy);
      if (offered !== undefined) return offered.offer;
    }
    return undefined;
  }

  private async hold(copy: CheckpointCopy): Promise<Offered | undefined> {
    const file = await open(join(this.dataDir, "tree.old.db"), "r");
    const { ino, mtimeMs, size } = await file.stat();
    const id = idOf(copy);
    const isSame = ino === copy.inode && mtimeMs === copy.modifiedMs && size === copy.bytes;
    if (!isSame || this.closed || this.offered.has(id)) {
      await file.close();
      return isSame && !this.closed ? this.offered.get(id) : undefined;
    }
    const { zxid, epoch, bytes, digest, crc: chainCrc } = copy;
    const offered = new Offered({ id, at: { zxid, epoch }, bytes, digest, chainCrc }, file, () => {
      this.offered.delete(id);
    });
    this.offered.set(id, offered);
    return offered;
  }

  /** Opens a checkpoint that was offered; undefined when it is there no longer. */
  open(id: string): OpenSnapshot | undefined {
    return this.offered.get(id)?.open();
  }

  /** Whoever installs a checkpoint that is offered needs the log from here on; Infinity when none is. */
  get neededAfter(): number {
    let least = Infinity;
    for (const { offer } of this.offered.values()) least = Math.min(least, offer.at.zxid);
    return least;
  }

  close(): void {
    this.closed = true;
    for (const offered of [...this.offered.values()]) offered.release();
  }
}

/** Names the file and the transaction that it is as of. */
function idOf({ zxid, inode, modifiedMs }: CheckpointCopy): string {
  return `tree.old.db@${zxid}/${inode}.${Math.round(modifiedMs * 1000).toString(36)}`;
}
