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
  private lastMonotonicMs: number | undefined;
  private readonly tickMs: number;

  constructor(tickMs: number) {
    this.tickMs = tickMs;
  }

  /** Advances by the time since the last call, as far as it counts. */
  advance(monotonicMs: number): void {
    const step = this.lastMonotonicMs === undefined ? 0 : monotonicMs - this.lastMonotonicMs;
    this.lastMonotonicMs = monotonicMs;
    this.now += Math.min(Math.max(step, 0), 2 * this.tickMs);
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
        if (session.touchedAt + session.timeoutMs <= now) due.push(session);
        else this.put(session);
      }
    }
    return due;
  }

  private put(session: S): void {
    const at = Math.max(Math.ceil((session.touchedAt + session.timeoutMs) / bucketMs), this.nextBucket + 1);
    let bucket = this.buckets.get(at);
    if (bucket === undefined) this.buckets.set(at, (bucket = new Set()));
    bucket.add(session);
  }
}
