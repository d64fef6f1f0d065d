/**
 * Linearizable reads that wait to be confirmed. Those of one turn share one question, which is asked at the end of the
 * turn: after all of them have come. Its answer is a commit point of an established leader that led after that.
 */
import type { Refusal } from "../base/reasons.ts";

export interface WaitingRead {
  readonly minZxid: number;
  readonly resume: (problem: Refusal | undefined) => void;
}

/** What is needed of the replica. */
export interface ReadIndexHost {
  /**
   * Asks the leader, or has this leader confirmed. Calls back with the commit point, or with undefined when there turned
   * out to be no leader. Returns false when there is none to ask.
   */
  askReadIndex(done: (zxid: number | undefined) => void): boolean;
  /** Calls back once this transaction is applied here. */
  whenApplied(zxid: number, resume: (problem: Refusal | undefined) => void): void;
}

export class ReadIndex {
  private readonly host: ReadIndexHost;
  private gathered: WaitingRead[] = [];

  constructor(host: ReadIndexHost) {
    this.host = host;
  }

  add(read: WaitingRead): void {
    this.gathered.push(read);
  }

  /** The end of a turn. Without a leader the reads wait for the next one. */
  flush(): void {
    const reads = this.gathered;
    if (reads.length === 0) return;
    this.gathered = [];
    const asked = this.host.askReadIndex((zxid) => {
      if (zxid === undefined) this.gathered = [...reads, ...this.gathered];
      else for (const { minZxid, resume } of reads) this.host.whenApplied(Math.max(minZxid, zxid), resume);
    });
    if (!asked) this.gathered = reads;
  }

  /** There was no leader for too long, or this server stops. */
  refuseAll(problem: Refusal): void {
    const reads = this.gathered;
    this.gathered = [];
    for (const { resume } of reads) resume(problem);
  }
}
