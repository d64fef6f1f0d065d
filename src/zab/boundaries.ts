/**
 * The shape of a history: the last transaction of each epoch. It tells the epoch of every transaction, and where two
 * histories part, without looking at either.
 *
 * Invariant: the leader of an epoch is one server, it proposes after the whole history it found, and servers append
 * without gaps; so two histories that have one (zxid, epoch) in common are equal up to there.
 */
import { assert } from "../base/assert.ts";
import type { LogPosition } from "./durable-log.ts";

export const nothing: LogPosition = { zxid: 0, epoch: 0 };

export class Boundaries {
  /** Ascending in epoch and zxid. */
  private readonly ends: LogPosition[] = [];

  constructor(ends: readonly LogPosition[]) {
    for (const end of ends) this.extend(end);
  }

  /** The last transaction of all; zeros for none. */
  get last(): LogPosition {
    return this.ends.at(-1) ?? nothing;
  }

  list(): readonly LogPosition[] {
    return this.ends;
  }

  /** The history goes on to `end`, in its epoch. */
  extend(end: LogPosition): void {
    const { last } = this;
    assert(end.zxid > last.zxid && end.epoch >= last.epoch, "a history goes on, and never to an earlier epoch");
    if (end.epoch === last.epoch) this.ends.pop();
    this.ends.push(end);
  }

  /** The epoch of a transaction; 0 when the history does not have it. */
  epochOf(zxid: number): number {
    if (zxid < 1) return 0;
    for (let at = this.ends.length - 1; at >= 0; at--) {
      if (at === 0 || this.ends[at - 1]!.zxid < zxid) return this.ends[at]!.zxid >= zxid ? this.ends[at]!.epoch : 0;
    }
    return 0;
  }

  has(position: LogPosition): boolean {
    return position.zxid === 0 || this.epochOf(position.zxid) === position.epoch;
  }

  /** Forgets everything after `to`, which is in the history. */
  truncate(to: LogPosition): void {
    assert(this.has(to), "a history is cut where it does not go");
    while (this.ends.length > 0 && this.last.zxid >= to.zxid) this.ends.pop();
    if (to.zxid > 0) this.ends.push(to);
  }

  /** Those between two transactions, `after` excluded and `upTo` included, the last of them at `upTo`. */
  between(after: number, upTo: number): LogPosition[] {
    const found: LogPosition[] = [];
    for (const end of this.ends) {
      if (end.zxid <= after) continue;
      found.push({ zxid: Math.min(end.zxid, upTo), epoch: end.epoch });
      if (end.zxid >= upTo) break;
    }
    return found;
  }

  /** The last transaction that both histories have; zeros when the other one is empty, undefined when there is none. */
  lastCommon(others: readonly LogPosition[]): LogPosition | undefined {
    if (others.length === 0) return nothing;
    const starts = new Map<number, number>();
    let start = 0;
    for (const { zxid, epoch } of this.ends) {
      starts.set(epoch, start);
      start = zxid;
    }
    for (let at = others.length - 1; at >= 0; at--) {
      const { zxid, epoch } = others[at]!;
      const theirStart = at === 0 ? 0 : others[at - 1]!.zxid;
      const end = this.ends.find((own) => own.epoch === epoch);
      if (end === undefined || starts.get(epoch) !== theirStart) continue;
      return { zxid: Math.min(zxid, end.zxid), epoch };
    }
    return undefined;
  }
}

/** Whether a list of boundaries from outside can be one. */
export function areBoundaries(ends: readonly LogPosition[], last: LogPosition): boolean {
  let before = nothing;
  for (const end of ends) {
    if (end.zxid <= before.zxid || end.epoch <= before.epoch) return false;
    before = end;
  }
  return before.zxid === last.zxid && before.epoch === last.epoch;
}
