/** Latencies in buckets of 1 % width: constant memory whatever the number of samples. */
const bucketsPerFactorE = 100;
const bucketCount = 2400;
/** Smallest latency told apart, milliseconds. */
const least = 0.001;

export class LatencyHistogram {
  private readonly counts = new Float64Array(bucketCount);
  private total = 0;
  private largest = 0;

  record(ms: number): void {
    const bucket = Math.max(0, Math.min(bucketCount - 1, Math.round(Math.log(ms / least) * bucketsPerFactorE)));
    this.counts[bucket]!++;
    this.total++;
    if (ms > this.largest) this.largest = ms;
  }

  add(other: LatencyHistogram): void {
    for (let i = 0; i < bucketCount; i++) this.counts[i]! += other.counts[i]!;
    this.total += other.total;
    this.largest = Math.max(this.largest, other.largest);
  }

  reset(): void {
    this.counts.fill(0);
    this.total = 0;
    this.largest = 0;
  }

  /** Milliseconds below which this part of the samples lies. */
  percentile(part: number): number {
    let left = this.total * part;
    for (let i = 0; i < bucketCount; i++) {
      left -= this.counts[i]!;
      if (left <= 0) return least * Math.exp(i / bucketsPerFactorE);
    }
    return this.largest;
  }

  summary(): { p50: number; p99: number; p999: number; max: number } {
    const round = (ms: number): number => Number(ms.toPrecision(3));
    return {
      p50: round(this.percentile(0.5)),
      p99: round(this.percentile(0.99)),
      p999: round(this.percentile(0.999)),
      max: round(this.largest),
    };
  }
}
