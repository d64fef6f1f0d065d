/** Majorities of voters. Whoever is not a voter never counts. */
import { assert } from "../base/assert.ts";

export class Quorum {
  private readonly voters: ReadonlySet<number>;
  private readonly needed: number;

  constructor(voters: Iterable<number>) {
    this.voters = new Set(voters);
    assert(this.voters.size > 0, "an ensemble has at least one voter");
    this.needed = Math.floor(this.voters.size / 2) + 1;
  }

  includes(server: number): boolean {
    return this.voters.has(server);
  }

  /** Whether these servers include a majority of the voters. */
  isMet(servers: ReadonlySet<number>): boolean {
    let count = 0;
    for (const server of servers) if (this.voters.has(server)) count++;
    return count >= this.needed;
  }

  /** The highest value that a majority of the voters has reached; 0 when there is none. */
  reached(values: ReadonlyMap<number, number>): number {
    const known: number[] = [];
    for (const [server, value] of values) if (this.voters.has(server)) known.push(value);
    if (known.length < this.needed) return 0;
    known.sort((a, b) => b - a);
    return known[this.needed - 1]!;
  }
}
