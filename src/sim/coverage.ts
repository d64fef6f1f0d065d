/** How often something was met, by group and name: a fault or a phase that never happens was not tested. */

export class Coverage {
  readonly counts = new Map<string, number>();

  hit(group: string, name: string): void {
    const key = `${group}: ${name}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  of(group: string, name: string): number {
    return this.counts.get(`${group}: ${name}`) ?? 0;
  }

  add(others: Iterable<readonly [string, number]>): void {
    for (const [key, count] of others) this.counts.set(key, (this.counts.get(key) ?? 0) + count);
  }
}
