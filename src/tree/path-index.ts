/**
 * Finds a znode by its path: a hash table over slots, four bytes for each znode and no path strings. A candidate is
 * verified by comparing names from the last element up to the root.
 *
 * Grown by linear hashing (Litwin 1980): each insertion above the load splits one bucket, so no insertion ever pays
 * for rehashing the whole table.
 */
import { assert } from "../base/assert.ts";
import { finish, hashString } from "../base/hash.ts";
import type { Names } from "./name-table.ts";
import { Narrow, type ZnodeTable } from "./znode-table.ts";

const none = -1;
const initialBuckets = 1024;

export class PathIndex {
  private readonly table: ZnodeTable;
  private readonly names: Names;
  private buckets = new Int32Array(initialBuckets).fill(none);
  /** Buckets at the start of this round, a power of two. */
  private round = initialBuckets;
  /** Buckets of this round that are split already. */
  private split = 0;
  private count = 0;

  constructor(table: ZnodeTable, names: Names) {
    this.table = table;
    this.names = names;
  }

  /** Makes room for this many slots in an empty index, so that no bucket is split on the way there. */
  reserve(count: number): void {
    assert(this.count === 0, "room is made in an empty index");
    while (this.round < count) this.round *= 2;
    this.buckets = new Int32Array(this.round).fill(none);
  }

  /** The slot at a path given by its first `end` characters; -1 when there is none. Never asked for the root. */
  find(path: string, end: number): number {
    const hash = hashPath(path, end);
    let slot = this.buckets[this.bucketOf(hash)]!;
    while (slot !== none) {
      if (this.table.narrow(slot, Narrow.pathHash) === hash && this.matches(slot, path, end)) return slot;
      slot = this.table.narrow(slot, Narrow.hashNext);
    }
    return none;
  }

  /** Adds a slot whose `pathHash` is set. */
  insert(slot: number): void {
    const at = this.bucketOf(this.table.narrow(slot, Narrow.pathHash));
    this.table.setNarrow(slot, Narrow.hashNext, this.buckets[at]!);
    this.buckets[at] = slot;
    if (++this.count > this.round + this.split) this.splitNext();
  }

  remove(slot: number): void {
    const at = this.bucketOf(this.table.narrow(slot, Narrow.pathHash));
    const next = this.table.narrow(slot, Narrow.hashNext);
    this.count--;
    if (this.buckets[at] === slot) {
      this.buckets[at] = next;
      return;
    }
    let before = this.buckets[at]!;
    while (this.table.narrow(before, Narrow.hashNext) !== slot) before = this.table.narrow(before, Narrow.hashNext);
    this.table.setNarrow(before, Narrow.hashNext, next);
  }

  private bucketOf(hash: number): number {
    const at = hash & (this.round - 1);
    return at < this.split ? hash & (this.round * 2 - 1) : at;
  }

  private splitNext(): void {
    if (this.buckets.length < this.round * 2) {
      const grown = new Int32Array(this.round * 2).fill(none);
      grown.set(this.buckets);
      this.buckets = grown;
    }
    const low = this.split;
    const high = low + this.round;
    let slot = this.buckets[low]!;
    this.buckets[low] = none;
    while (slot !== none) {
      const next = this.table.narrow(slot, Narrow.hashNext);
      const to = (this.table.narrow(slot, Narrow.pathHash) & this.round) === 0 ? low : high;
      this.table.setNarrow(slot, Narrow.hashNext, this.buckets[to]!);
      this.buckets[to] = slot;
      slot = next;
    }
    if (++this.split === this.round) {
      this.round *= 2;
      this.split = 0;
    }
  }

  private matches(slot: number, path: string, end: number): boolean {
    let at = slot;
    let stop = end;
    for (;;) {
      const start = this.names.startIn(at, path, stop);
      if (start < 1 || path.charCodeAt(start - 1) !== 0x2f) return false;
      stop = start - 1;
      at = this.table.narrow(at, Narrow.parent);
      if (at === 0) return stop === 0;
    }
  }
}

/** Hash of the first `end` characters of a path. */
export function hashPath(path: string, end: number): number {
  return finish(hashString(end === path.length ? path : path.slice(0, end)));
}
