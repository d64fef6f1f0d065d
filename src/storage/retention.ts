/**
 * How much of the log is kept: everything that is young or among the newest, but never more than a size. Old rows go
 * only when a synced checkpoint, and an older verified copy of one, have what they said.
 */
import type { Connection } from "./database.ts";
import { readLogState } from "./log-state.ts";

export interface Retention {
  /** Transactions younger than this are kept, */
  readonly milliseconds: number;
  /** and the newest ones, this many, */
  readonly transactions: number;
  /** unless the log takes more than this. */
  readonly bytes: number;
}

export const defaultRetention: Retention = {
  milliseconds: 24 * 3600 * 1000,
  transactions: 1_000_000,
  bytes: 4 * 1024 ** 3,
};

/** Nothing is purged before this share of the log can go: each purge may need a new copy of the checkpoint. */
const leastShare = 0.2;

/**
 * The last transaction that may go; 0 for none. `committed` is as of now: purging never comes near what is not.
 */
export function purgeable(log: Connection, retention: Retention, now: number): number {
  const { log_start: start, committed_zxid: committed } = readLogState(log);
  const count = committed - start + 1;
  if (count <= 1) return 0;
  const byCount = committed - retention.transactions;
  const byAge = lastBefore(log, start, committed, now - retention.milliseconds);
  const bytes = usedBytes(log);
  // Sizes of transactions differ; what this takes too few of goes the next time.
  const tooMuch = bytes > retention.bytes ? start + Math.ceil(count * (1 - (0.8 * retention.bytes) / bytes)) : 0;
  const last = Math.min(Math.max(Math.min(byCount, byAge), tooMuch), committed - 1);
  return last - start + 1 >= count * leastShare ? last : 0;
}

/** The last transaction older than `time`; `start - 1` when none is. Times never go back along the log. */
function lastBefore(log: Connection, start: number, committed: number, time: number): number {
  const timeOf = log.prepare("SELECT time FROM proposal WHERE zxid >= ? ORDER BY zxid, op LIMIT 1").pluck();
  let low = start - 1;
  let high = committed;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((timeOf.get(middle) as number) < time) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Pages in use; a purge frees pages inside the file, which does not shrink. */
function usedBytes(db: Connection): number {
  const pages =
    Number(db.pragma("page_count", { simple: true })) - Number(db.pragma("freelist_count", { simple: true }));
  return pages * Number(db.pragma("page_size", { simple: true }));
}
