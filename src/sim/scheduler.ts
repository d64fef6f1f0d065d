/**
 * The only source of progress in a simulation: events in the order of virtual time. Events of the same moment come in an
 * order drawn from the seed, otherwise races between them would never be explored.
 *
 * A binary heap over parallel arrays: an event costs no object.
 */
import type { Prng } from "./prng.ts";

export interface EventTarget {
  /** `what` and `a` mean what the target says they do. */
  fire(what: number, a: number, payload: unknown): void;
}

export class Scheduler {
  /** Virtual time, microseconds. */
  now = 0;
  /** Events fired so far. */
  fired = 0;
  /** A digest of everything fired so far: two runs of one seed that differ are a bug of the simulator. */
  hash = 0;
  private readonly ties: Prng;
  private sequence = 0;
  private size = 0;
  private heap = new Int32Array(1024);
  private times = new Float64Array(1024);
  private tieBreaks = new Float64Array(1024);
  private readonly targets: (EventTarget | undefined)[] = [];
  private readonly whats: number[] = [];
  private readonly as: number[] = [];
  private readonly payloads: unknown[] = [];
  private readonly free: number[] = [];

  constructor(ties: Prng) {
    this.ties = ties;
  }

  get pending(): number {
    return this.size;
  }

  /** `delay` in microseconds. */
  after(delay: number, target: EventTarget, what: number, a = 0, payload?: unknown): void {
    this.at(this.now + Math.max(0, Math.floor(delay)), target, what, a, payload);
  }

  at(time: number, target: EventTarget, what: number, a = 0, payload?: unknown): void {
    const slot = this.free.pop() ?? this.newSlot();
    this.times[slot] = Math.max(time, this.now);
    // The tie-break in the high bits, the sequence in the low ones: unique, and exact up to 2^53.
    this.tieBreaks[slot] = (this.ties.next() & 0xfffff) * 4294967296 + (this.sequence++ % 4294967296);
    this.targets[slot] = target;
    this.whats[slot] = what;
    this.as[slot] = a;
    this.payloads[slot] = payload;
    this.push(slot);
  }

  /** Fires the next event, unless it lies beyond `until`; whether there was one. */
  step(until: number): boolean {
    if (this.size === 0) return false;
    const slot = this.heap[0]!;
    const time = this.times[slot]!;
    if (time > until) return false;
    this.removeFirst();
    const target = this.targets[slot]!;
    const what = this.whats[slot]!;
    const a = this.as[slot]!;
    const payload = this.payloads[slot];
    this.targets[slot] = undefined;
    this.payloads[slot] = undefined;
    this.free.push(slot);
    this.now = time;
    this.fired++;
    this.mix(what);
    this.mix(a);
    this.mix(time);
    target.fire(what, a, payload);
    return true;
  }

  /** Adds something to the digest of this run. */
  mix(value: number): void {
    this.hash = (Math.imul(this.hash ^ (value | 0), 0x01000193) + 0x9e37) | 0;
  }

  private newSlot(): number {
    const slot = this.targets.length;
    this.targets.push(undefined);
    if (slot === this.times.length) {
      this.times = grown(this.times, new Float64Array(slot * 2));
      this.tieBreaks = grown(this.tieBreaks, new Float64Array(slot * 2));
      this.heap = grown(this.heap, new Int32Array(slot * 2));
    }
    return slot;
  }

  private before(a: number, b: number): boolean {
    const difference = this.times[a]! - this.times[b]!;
    return difference < 0 || (difference === 0 && this.tieBreaks[a]! < this.tieBreaks[b]!);
  }

  private push(slot: number): void {
    const { heap } = this;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(slot, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = slot;
  }

  private removeFirst(): void {
    const { heap } = this;
    const last = heap[--this.size]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
