/**
 * The replicated half of sessions: who is alive, who owns what, and what became of each numbered write. Changed only
 * by applying transactions, so it is the same on every replica; expiry clocks and streams are elsewhere.
 */
import { assert } from "../base/assert.ts";
import { hashString, mix, mixNumber } from "../base/hash.ts";
import { SeqMap } from "../base/seq-map.ts";
import { limits } from "../base/limits.ts";
import type { Identity } from "../tree/acl.ts";

/** What became of one numbered write. */
export interface Outcome {
  readonly seq: number;
  readonly fingerprint: number;
  readonly zxid: number;
  /** Number of the reason; 0 for success. */
  readonly code: number;
  /** Index of the operation that failed, of a Multi. */
  readonly failedOp: number;
}

/** What a session's opening fixes. */
export interface SessionTerms {
  /** The zxid of the transaction that opened it. */
  readonly id: number;
  readonly timeoutMs: number;
  /** Hexadecimal; names the client's attempt, so that its retry finds the same session. */
  readonly clientKey: string;
  /** Hexadecimal SHA-256 of the secret. */
  readonly secretHash: string;
  readonly identities: readonly Identity[];
}

/** How a session ended. */
export interface SessionEnd {
  readonly zxid: number;
  readonly time: number;
  readonly expired: boolean;
}

export class Session {
  readonly terms: SessionTerms;
  /** The identities for people, as log rows carry them. */
  readonly who: string;
  /** The highest seq that has an outcome. Invariant: seqs have outcomes in order, without gaps. */
  lastSeq = 0;
  /** Outcomes up to here are forgotten. Invariant: acked <= lastSeq. */
  acked = 0;
  /** Set when it has ended: a tombstone, which only keeps its outcomes. */
  end: SessionEnd | undefined;
  private readonly outcomes = new SeqMap<Outcome>();
  /** Digest of the outcomes up to `digestedSeq`: their sum. Later ones are added when it is asked for. */
  private outcomesDigest = 0;
  private digestedSeq = 0;
  /** Digest of what never changes. */
  private readonly termsDigest: number;
  /** Its digest when it was last asked for, and who is told before the first change since. */
  private askedDigest = 0;
  private changing: ((session: Session, digest: number) => void) | undefined;

  constructor(terms: SessionTerms) {
    this.terms = terms;
    this.who = formatIdentities(terms.identities);
    const { id, timeoutMs, clientKey, secretHash } = terms;
    const h = mix(mix(mixNumber(timeoutMs, id), hashString(clientKey)), hashString(secretHash));
    this.termsDigest = mix(h, hashString(this.who));
  }

  get id(): number {
    return this.terms.id;
  }

  outcome(seq: number): Outcome | undefined {
    return this.outcomes.get(seq);
  }

  /** Outcomes the client has not acknowledged, by seq. */
  unacknowledged(): IterableIterator<Outcome> {
    return this.outcomes.values();
  }

  record(outcome: Outcome): void {
    assert(outcome.seq === this.lastSeq + 1, "outcomes of a session come in the order of their seqs");
    this.change();
    this.lastSeq = outcome.seq;
    this.outcomes.set(outcome.seq, outcome);
  }

  acknowledge(seq: number): void {
    this.change();
    const upTo = Math.min(seq, this.lastSeq);
    for (let forgotten = this.acked + 1; forgotten <= upTo; forgotten++) this.forget(forgotten);
    this.acked = Math.max(this.acked, upTo);
  }

  private forget(seq: number): void {
    if (seq <= this.digestedSeq) {
      const outcome = this.outcomes.get(seq);
      if (outcome !== undefined) this.outcomesDigest = (this.outcomesDigest - digestOfOutcome(outcome)) | 0;
    }
    this.outcomes.delete(seq);
  }

  /** It has ended. */
  close(end: SessionEnd): void {
    this.change();
    this.end = end;
  }

  /** It is no longer remembered. */
  forgotten(): void {
    this.change();
  }

  private change(): void {
    const { changing } = this;
    if (changing === undefined) return;
    this.changing = undefined;
    changing(this, this.askedDigest);
  }

  /** The digest as of now; `changing` is told, with that digest, before the next change. */
  digest(changing: (session: Session, digest: number) => void): number {
    this.changing = changing;
    for (let seq = Math.max(this.digestedSeq, this.acked) + 1; seq <= this.lastSeq; seq++) {
      const outcome = this.outcomes.get(seq);
      if (outcome !== undefined) this.outcomesDigest = (this.outcomesDigest + digestOfOutcome(outcome)) | 0;
    }
    this.digestedSeq = this.lastSeq;
    const { end } = this;
    let h = mixNumber(mixNumber(this.termsDigest, this.lastSeq), this.acked);
    if (end !== undefined) h = mix(mixNumber(mixNumber(h, end.zxid), end.time), end.expired ? 2 : 1);
    this.askedDigest = (h + this.outcomesDigest) >>> 0;
    return this.askedDigest;
  }

  /** Loads what a checkpoint stored. */
  restore(state: { lastSeq: number; acked: number; outcomes: readonly Outcome[]; end: SessionEnd | undefined }): void {
    this.change();
    this.lastSeq = state.lastSeq;
    this.acked = state.acked;
    this.end = state.end;
    for (const outcome of state.outcomes) this.outcomes.set(outcome.seq, outcome);
  }
}

/** `digest:bob:…, ip:127.0.0.1`; "" for none. */
export function formatIdentities(identities: readonly Identity[]): string {
  return identities.map((identity) => `${identity.scheme}:${identity.id}`).join(", ");
}

export class SessionTable {
  private readonly alive = new Map<number, Session>();
  private readonly byClientKey = new Map<string, Session>();
  /** Ended sessions, oldest first. */
  private readonly tombstones = new Map<number, Session>();
  /** Digest of the sessions that have not changed since it was last asked for, and those that have. */
  private settledDigest = 0;
  private readonly changed = new Set<Session>();

  get count(): number {
    return this.alive.size;
  }

  get(id: number): Session | undefined {
    return this.alive.get(id);
  }

  tombstone(id: number): Session | undefined {
    return this.tombstones.get(id);
  }

  findByClientKey(clientKey: string): Session | undefined {
    return this.byClientKey.get(clientKey);
  }

  sessions(): IterableIterator<Session> {
    return this.alive.values();
  }

  ended(): IterableIterator<Session> {
    return this.tombstones.values();
  }

  open(terms: SessionTerms): Session {
    assert(!this.alive.has(terms.id), "a session is opened twice");
    const session = new Session(terms);
    this.add(session);
    return session;
  }

  /** Adds a session of a checkpoint, alive or ended, in the order of ids (alive) or of ends (ended). */
  add(session: Session): void {
    this.changed.add(session);
    if (session.end !== undefined) this.tombstones.set(session.id, session);
    else {
      this.alive.set(session.id, session);
      this.byClientKey.set(session.terms.clientKey, session);
    }
  }

  /** A session ended; tombstones that are too old or too many are forgotten. Deterministic: by the transaction's time. */
  close(id: number, end: SessionEnd): Session {
    const session = this.alive.get(id);
    assert(session !== undefined, "a session is closed that is not alive");
    this.alive.delete(id);
    this.byClientKey.delete(session.terms.clientKey);
    session.close(end);
    this.tombstones.set(id, session);
    for (const [old, ended] of this.tombstones) {
      const fresh = ended.end!.time >= end.time - limits.tombstoneMs;
      if (fresh && this.tombstones.size <= limits.tombstones) break;
      ended.forgotten();
      this.changed.delete(ended);
      this.tombstones.delete(old);
    }
    return session;
  }

  /**
   * Digest of everything replicated about sessions; a sum, like the digest of the tree. Costs the sessions that changed
   * since it was last asked for.
   */
  digest(): number {
    for (const session of this.changed) {
      this.settledDigest = (this.settledDigest + session.digest(this.changing)) >>> 0;
    }
    this.changed.clear();
    return this.settledDigest;
  }

  /** A session that is part of the digest is about to change: it is taken out until the digest is asked for again. */
  private readonly changing = (session: Session, digest: number): void => {
    this.settledDigest = (this.settledDigest - digest) >>> 0;
    this.changed.add(session);
  };
}

function digestOfOutcome({ seq, zxid, fingerprint, code, failedOp }: Outcome): number {
  return mix(mix(mixNumber(mixNumber(seq, zxid), fingerprint), code), failedOp);
}
