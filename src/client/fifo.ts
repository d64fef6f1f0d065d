/** A queue whose head is taken in constant time, however long it is. */
export class Fifo<T> {
  private entries: T[];
  private head = 0;

  constructor() {
    this.entries = [];
  }

  static of<T>(items: T[]): Fifo<T> {
    const fifo = new Fifo<T>();
    fifo.entries = items;
    return fifo;
  }

  get length(): number {
    return this.entries.length - this.head;
  }

  push(item: T): void {
    this.entries.push(item);
  }

  peek(): T | undefined {
    return this.entries[this.head];
  }

  shift(): T | undefined {
    const item = this.entries[this.head];
    if (this.head < this.entries.length) this.head++;
    // Copying now and then costs less than keeping what was taken alive.
    if (this.head > 1024 && this.head * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** What is in the queue, head first. */
  items(): T[] {
    return this.entries.slice(this.head);
  }

  /** Takes everything. */
  drain(): T[] {
    const rest = this.items();
    this.entries = [];
    this.head = 0;
    return rest;
  }
}
