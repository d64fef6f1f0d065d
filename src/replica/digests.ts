/**
 * All servers must come to the same state. At every so many transactions each notes the digest of its state, and the
 * leader compares: whoever differs from what most voters have must stop; when no majority agrees, all must.
 */
import type { Quorum } from "../zab/quorum.ts";

/** Digests kept, of the newest comparisons. */
const kept = 64;
/** How long the leader waits for the digests of others once two differ, milliseconds. */
const patienceMs = 5000;

/** A server's own digests. */
export class NotedDigests {
  private readonly digests = new Map<number, number>();

  note(zxid: number, digest: number): void {
    this.digests.set(zxid, digest);
    if (this.digests.size > kept) this.digests.delete(this.digests.keys().next().value!);
  }

  get(zxid: number): number | undefined {
    return this.digests.get(zxid);
  }
}

interface Comparison {
  readonly digests: Map<number, number>;
  /** When two were found to differ. */
  differsSince: number | undefined;
  verdict: { readonly digest: number | undefined } | undefined;
}

/** What the leader is told, and concludes. */
export class DigestCourt {
  private readonly quorum: Quorum;
  private readonly comparisons = new Map<number, Comparison>();
  private readonly pronounce: (zxid: number, digest: number | undefined) => void;

  /** `pronounce` is told what most voters have; undefined when no majority agrees. */
  constructor(quorum: Quorum, pronounce: (zxid: number, digest: number | undefined) => void) {
    this.quorum = quorum;
    this.pronounce = pronounce;
  }

  reported(member: number, zxid: number, digest: number, now: number): void {
    let comparison = this.comparisons.get(zxid);
    if (comparison === undefined) {
      comparison = { digests: new Map(), differsSince: undefined, verdict: undefined };
      this.comparisons.set(zxid, comparison);
      if (this.comparisons.size > kept) this.comparisons.delete(this.comparisons.keys().next().value!);
    }
    const { digests } = comparison;
    digests.set(member, digest);
    if (new Set(digests.values()).size === 1) return;
    comparison.differsSince ??= now;
    // Whoever comes late is told of a verdict too.
    if (comparison.verdict !== undefined) this.pronounce(zxid, comparison.verdict.digest);
    else this.judge(zxid, comparison);
  }

  private judge(zxid: number, comparison: Comparison): void {
    for (const digest of new Set(comparison.digests.values())) {
      const agreeing = new Set<number>();
      for (const [member, each] of comparison.digests) if (each === digest) agreeing.add(member);
      if (!this.quorum.isMet(agreeing)) continue;
      comparison.verdict = { digest };
      this.pronounce(zxid, digest);
      return;
    }
  }

  /** Those that differ cannot wait for ever. */
  tick(now: number): void {
    for (const [zxid, comparison] of this.comparisons) {
      const { differsSince, verdict } = comparison;
      if (differsSince === undefined || verdict !== undefined || now - differsSince < patienceMs) continue;
      comparison.verdict = { digest: undefined };
      this.pronounce(zxid, undefined);
    }
  }
}
