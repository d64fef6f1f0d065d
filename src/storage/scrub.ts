/**
 * Reads the whole log again and again, slowly, and verifies the chain: rows that nobody asks for rot unnoticed, and a
 * single server has no other copy to compare with.
 */
import type { Connection } from "./database.ts";
import { LogChain } from "./log-chain.ts";
import { chainPointAt, scanLog } from "./log-scan.ts";
import { readLogState } from "./log-state.ts";

/** Transactions and canonical bytes of one step: a few milliseconds. */
const transactionsPerStep = 500;
const bytesPerStep = 4 * 1024 * 1024;

export class Scrub {
  private readonly log: Connection;
  private verified = 0;

  constructor(log: Connection) {
    this.log = log;
  }

  /** Verifies a little more; returns whether it came to the end. Throws a StorageError when a row is damaged. */
  step(): boolean {
    return this.log.transaction(() => this.verifyNext())();
  }

  /** Goes on after damage that was reported. */
  skip(): void {
    this.verified += transactionsPerStep;
  }

  private verifyNext(): boolean {
    const state = readLogState(this.log);
    const { committed_zxid: committed } = state;
    if (this.verified >= committed) this.verified = 0;
    this.verified = Math.max(this.verified, state.log_start - 1);
    const chain = new LogChain(chainPointAt(this.log, state, this.verified));
    const upTo = Math.min(committed, this.verified + transactionsPerStep);
    let bytes = 0;
    for (const stored of scanLog(this.log, this.verified, upTo)) {
      bytes += chain.verify(stored).length;
      if (bytes > bytesPerStep) break;
    }
    this.verified = chain.zxid;
    return this.verified >= committed;
  }
}
