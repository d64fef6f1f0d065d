/**
 * Chance that can be repeated: sfc32, seeded through splitmix32. Each component draws from a stream of its own, named
 * after it, so that one more draw in one place does not change what happens everywhere else; without that a scenario
 * could not be shrunk.
 */

export class Prng {
  private a: number;
  private b: number;
  private c: number;
  private counter: number;

  constructor(a: number, b: number, c: number, d: number) {
    this.a = a | 0;
    this.b = b | 0;
    this.c = c | 0;
    this.counter = d | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** From 0 to 2^32 - 1. */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    this.c |= 0;
    return sum >>> 0;
  }

  /** From 0 up to, not including, 1. */
  float(): number {
    return this.next() / 4294967296;
  }

  /** An integer from 0 up to, not including, `bound`. */
  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  /** An integer, both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Exponentially distributed, at most ten times the mean. */
  exponential(mean: number): number {
    return Math.min(-Math.log(1 - this.float()), 10) * mean;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [copy[i], copy[j]] = [copy[j]!, copy[i]!];
    }
    return copy;
  }
}

/** All the streams of one seed. */
export class Seed {
  readonly text: string;

  constructor(seed: string | number) {
    this.text = String(seed);
  }

  stream(name: string): Prng {
    const mix = splitmix(hash(this.text, 0x811c9dc5) ^ Math.imul(hash(name, 0x2545f491), 0x9e3779b1));
    return new Prng(mix(), mix(), mix(), mix());
  }
}

/** FNV-1a. */
function hash(text: string, start: number): number {
  let value = start;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value | 0;
}

function splitmix(start: number): () => number {
  let state = start | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let value = state ^ (state >>> 16);
    value = Math.imul(value, 0x21f0aaad);
    value ^= value >>> 15;
    value = Math.imul(value, 0x735a2d97);
    return value ^ (value >>> 15);
  };
}
