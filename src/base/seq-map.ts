/**
 * A map whose keys are rising whole numbers close together: a ring that grows to the span of the keys it holds.
 *
 * Used where entries are added at one end and removed at the other. A JavaScript Map serves badly there: it makes a new
 * table now and then and links the old one to it, so that one old table that has reached old space keeps the whole
 * chain alive, with every entry that was ever in it, until the next full garbage collection.
 */
const smallest = 16;

export class SeqMap<T> {
  private ring: (T | undefined)[] = [];
  /** Invariant: every key is at least `first` and below `end`, and the span fits the ring. */
  private first = 0;
  private end = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(key: number): T | undefined {
    return key >= this.first && key < this.end ? this.ring[key % this.ring.length] : undefined;
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  set(key: number, value: T): void {
    if (this.count === 0) {
      this.first = key;
      this.end = key;
    }
    const first = Math.min(this.first, key);
    const end = Math.max(this.end, key + 1);
    if (end - first > this.ring.length) this.grow(end - first);
    this.first = first;
    this.end = end;
    const at = key % this.ring.length;
    if (this.ring[at] === undefined) this.count++;
    this.ring[at] = value;
  }

  delete(key: number): void {
    if (!this.has(key)) return;
    const { ring } = this;
    ring[key % ring.length] = undefined;
    this.count--;
    while (this.first < this.end && ring[this.first % ring.length] === undefined) this.first++;
  }

  /** The values in the order of their keys. */
  *values(): Generator<T> {
    for (let key = this.first; key < this.end; key++) {
      const value = this.get(key);
      if (value !== undefined) yield value;
    }
  }

  private grow(span: number): void {
    let length = Math.max(smallest, this.ring.length);
    while (length < span) length *= 2;
    const grown = new Array<T | undefined>(length).fill(undefined);
    for (let key = this.first; key < this.end; key++) grown[key % length] = this.get(key);
    this.ring = grown;
  }
}
