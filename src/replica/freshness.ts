/** Reads that wait until an answer would be fresh enough. */
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";

interface Wait {
  readonly minZxid: number;
  readonly deadline: number;
  readonly resume: (problem: Refusal | undefined) => void;
}

export class FreshnessWaits {
  private waits: Wait[] = [];

  /** Calls back once `minZxid` is applied, or refuses when that takes too long. */
  add(minZxid: number, now: number, resume: (problem: Refusal | undefined) => void): void {
    this.waits.push({ minZxid, deadline: now + limits.waitMs, resume });
  }

  applied(zxid: number): void {
    if (this.waits.length === 0) return;
    const due = this.waits.filter((wait) => wait.minZxid <= zxid);
    if (due.length === 0) return;
    this.waits = this.waits.filter((wait) => wait.minZxid > zxid);
    for (const wait of due) wait.resume(undefined);
  }

  tick(now: number, appliedZxid: number): void {
    if (this.waits.length === 0) return;
    const late = this.waits.filter((wait) => wait.deadline <= now);
    this.waits = this.waits.filter((wait) => wait.deadline > now);
    for (const wait of late) {
      const metadata = { zxid: String(appliedZxid), min_zxid: String(wait.minZxid) };
      wait.resume(refusal("ZXID_NOT_REACHED", `transaction ${wait.minZxid} is not applied here yet`, metadata));
    }
  }

  /** Nothing more will be applied here. */
  refuseAll(problem: Refusal): void {
    const { waits } = this;
    this.waits = [];
    for (const { resume } of waits) resume(problem);
  }
}
