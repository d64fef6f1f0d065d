/** A server's two clocks, as functions of virtual time. The monotonic one never goes back; the wall clock does. */

const wallStart = 1_700_000_000_000;

export class SimClock {
  private rate: number;
  /** The moment from which `rate` counts, by both clocks. */
  private sinceMicros = 0;
  private monotonicAt: number;
  private wallAt: number;

  constructor(rate: number, monotonicStartMs: number, wallOffsetMs: number) {
    this.rate = rate;
    this.monotonicAt = monotonicStartMs;
    this.wallAt = wallStart + wallOffsetMs;
  }

  monotonicMs(now: number): number {
    return Math.floor(this.monotonicAt + ((now - this.sinceMicros) / 1000) * this.rate);
  }

  wallMs(now: number): number {
    return Math.max(1, Math.floor(this.wallAt + ((now - this.sinceMicros) / 1000) * this.rate));
  }

  /** How much virtual time passes while this clock moves on by `ms`. */
  microsFor(ms: number): number {
    return (ms * 1000) / this.rate;
  }

  setRate(now: number, rate: number): void {
    this.settle(now);
    this.rate = rate;
  }

  /** Somebody sets the wall clock. */
  jump(now: number, ms: number): void {
    this.settle(now);
    this.wallAt += ms;
  }

  private settle(now: number): void {
    const passed = ((now - this.sinceMicros) / 1000) * this.rate;
    this.monotonicAt += passed;
    this.wallAt += passed;
    this.sinceMicros = now;
  }
}
