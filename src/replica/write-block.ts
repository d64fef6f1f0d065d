/**
 * A write of a stream that cannot run now blocks those after it: they get the same answer until it is sent again, so
 * that nothing runs out of order.
 */
import type { Refusal } from "../base/reasons.ts";

/** Refusals for now: they consume no seq. */
const blocking: ReadonlySet<string> = new Set([
  "NO_LEADER",
  "OVERLOADED",
  "DISK_LOW",
  "TOO_MANY_UNACKNOWLEDGED",
  "SEQUENCE_GAP",
]);

export class WriteBlock {
  private seq = 0;
  private refusal: Refusal | undefined;

  /** A write was refused without a transaction. */
  refused(seq: number, problem: Refusal): void {
    if (seq === 0 || this.refusal !== undefined || !blocking.has(problem.reason)) return;
    this.seq = seq;
    this.refusal = problem;
  }

  get isBlocked(): boolean {
    return this.refusal !== undefined;
  }

  /** What a write is refused with; undefined when it may be tried. `nextSeq`: every lower one has run or is under way. */
  answer(seq: number, nextSeq: number): Refusal | undefined {
    if (this.refusal === undefined) return undefined;
    // It is sent again, or has run by another way: a unary retry.
    if (seq === this.seq || nextSeq > this.seq) this.refusal = undefined;
    return seq > this.seq ? this.refusal : undefined;
  }
}
