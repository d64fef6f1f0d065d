/** What the other members have said of themselves lately. */
import type { Notification } from "./message.ts";

export interface Neighbour {
  readonly id: number;
  readonly said: Notification;
  readonly heardAt: number;
}

export class Neighbours {
  private readonly heard = new Map<number, Neighbour>();
  private readonly hearMs: number;

  constructor(hearMs: number) {
    this.hearMs = hearMs;
  }

  note(from: number, said: Notification, now: number): void {
    this.heard.set(from, { id: from, said, heardAt: now });
  }

  /** The channel of a member broke: it may be gone. */
  lost(from: number): void {
    this.heard.delete(from);
  }

  /** Those heard of lately, by id. */
  fresh(now: number): Neighbour[] {
    const fresh: Neighbour[] = [];
    for (const neighbour of this.heard.values()) if (now - neighbour.heardAt <= this.hearMs) fresh.push(neighbour);
    return fresh.sort((a, b) => a.id - b.id);
  }

  /** When a member was last heard of; undefined for never, or not since its channel broke. */
  heardAt(id: number): number | undefined {
    return this.heard.get(id)?.heardAt;
  }
}
