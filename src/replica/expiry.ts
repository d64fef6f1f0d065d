/**
 * When sessions expire: the leader's clock of silence. Deadlines are rounded up to a bucket and never down, so a session
 * is never expired early; touching one only notes the time, and its bucket finds out when it comes up.
 *
 * The clock counts time in which this server could have heard its clients: a step longer than two ticks (a pause of the
 * process, a jump of the machine's clock) counts as two ticks. A leader that stood still gives everybody that time.
 */
const bucketMs = 250;

export class ExpiryClock {
  /** Milliseconds of presence, since the replica started. */
  now = 0;
  /** The most that one step counts. */
  readonly maxStepMs: number;
  private lastMonotonicMs: number | undefined;

  constructor(tickMs: number) {
    this.maxStepMs = 2 * tickMs;
  }

  /** Advances by the time since the last call, as far as it counts. */
  advance(monotonicMs: number): void {
    const step = this.lastMonotonicMs === undefined ? 0 : monotonicMs - this.lastMonotonicMs;
    this.lastMonotonicMs = monotonicMs;
    this.now += Math.min(Math.max(step, 0), this.maxStepMs);
  }
}

/** What the queue needs of a session. */
export interface Expirable {
  /** When it was last heard of, by the expiry clock. */
  touchedAt: number;
  readonly timeoutMs: number;
}

export class ExpiryQueue<S extends Expirable> {
  private readonly buckets = new Map<number, Set<S>>();
  private nextBucket = 0;
  /** A touch is noted with the time of the last tick, though it may have come just before the next one. */
  private readonly noteErrorMs: number;

  constructor(noteErrorMs: number) {
    this.noteErrorMs = noteErrorMs;
  }

  /** Watches over a session from now on. */
  add(session: S): void {
    this.put(session);
  }

  /** The sessions whose time is up. They are no longer watched over. */
  due(now: number): S[] {
    const due: S[] = [];
    for (; this.nextBucket * bucketMs <= now; this.nextBucket++) {
      const bucket = this.buckets.get(this.nextBucket);
      if (bucket === undefined) continue;
      this.buckets.delete(this.nextBucket);
      for (const session of bucket) {
        if (this.deadline(session) <= now) due.push(session);
        else this.put(session);
      }
    }
    return due;
  }

  private deadline(session: S): number {
    return session.touchedAt + session.timeoutMs + this.noteErrorMs;
  }

  private put(session: S): void {
    const at = Math.max(Math.ceil(this.deadline(session) / bucketMs), this.nextBucket + 1);
    let bucket = this.buckets.get(at);
    if (bucket === undefined) this.buckets.set(at, (bucket = new Set()));
    bucket.add(session);
  }
}
