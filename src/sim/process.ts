/** One life of one server: takes inputs one at a time, each a turn, unless it is paused; then they wait. */
import type { LogReadResult, SnapshotOffer } from "../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { Core } from "./core.ts";
import { Input, type Endpoint } from "./input.ts";
import type { Row } from "./rows.ts";
import type { EventTarget, Scheduler } from "./scheduler.ts";

export interface ProcessHost {
  /** An input is about to be taken; the process has a core. */
  beforeTurn(process: SimProcess, what: number, a: number, payload: unknown): void;
  afterTurn(process: SimProcess): void;
  /** The core threw: a bug. */
  failed(process: SimProcess, error: unknown): void;
  /** The clocks of the server, milliseconds. */
  monotonicMs(node: number): number;
  wallMs(node: number): number;
  /** Until the next tick, microseconds. */
  tickMicros(node: number): number;
}

interface Held {
  readonly what: number;
  readonly a: number;
  readonly payload: unknown;
}

const resume = 100;

export class SimProcess implements Endpoint, EventTarget {
  readonly node: number;
  readonly life: number;
  core: Core | undefined;
  isAlive = true;
  private readonly scheduler: Scheduler;
  private readonly host: ProcessHost;
  private pausedUntil = 0;
  private held: Held[] = [];

  constructor(node: number, life: number, scheduler: Scheduler, host: ProcessHost) {
    this.node = node;
    this.life = life;
    this.scheduler = scheduler;
    this.host = host;
  }

  get isPaused(): boolean {
    return this.pausedUntil > this.scheduler.now;
  }

  start(): void {
    this.scheduler.after(this.host.tickMicros(this.node) * 0.1, this, Input.tick);
  }

  pause(until: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, until);
    this.scheduler.at(until, this, resume);
  }

  /** The pause under way ends now. */
  wake(): void {
    if (!this.isPaused) return;
    this.pausedUntil = this.scheduler.now;
    this.catchUp();
  }

  end(): void {
    this.isAlive = false;
    this.core = undefined;
    this.held = [];
  }

  fire(what: number): void {
    if (!this.isAlive) return;
    if (what === resume) {
      if (!this.isPaused) this.catchUp();
      return;
    }
    this.scheduler.after(this.host.tickMicros(this.node), this, Input.tick);
    // Missed ticks are not made up for.
    if (!this.isPaused) this.deliver(Input.tick, 0, undefined);
  }

  private catchUp(): void {
    const { held } = this;
    this.held = [];
    for (const { what, a, payload } of held) this.deliver(what, a, payload);
  }

  deliver(what: number, a: number, payload: unknown): void {
    if (!this.isAlive || this.core === undefined) return;
    if (this.isPaused) {
      this.held.push({ what, a, payload });
      return;
    }
    this.host.beforeTurn(this, what, a, payload);
    try {
      this.take(this.core, what, a, payload);
      this.core.flush();
    } catch (error) {
      this.host.failed(this, error);
      return;
    }
    this.host.afterTurn(this);
  }

  private take(core: Core, what: number, a: number, payload: unknown): void {
    switch (what) {
      case Input.tick:
        core.tick(this.host.monotonicMs(this.node), this.host.wallMs(this.node));
        break;
      case Input.persisted:
        core.persisted(a);
        break;
      case Input.notified:
        core.notified(a, payload as Notification);
        break;
      case Input.unreachable:
        core.unreachable(a);
        break;
      case Input.linkOpened:
        core.linkOpened(a, payload as number);
        break;
      case Input.linkReceived:
        core.linkReceived(a, payload as LinkMessage);
        break;
      case Input.linkClosed:
        core.linkClosed(a);
        break;
      case Input.logRead:
        core.logRead(a, payload as LogReadResult);
        break;
      case Input.snapshotReady:
        core.snapshotReady(a, payload as SnapshotOffer | undefined);
        break;
      case Input.snapshotFailed:
        core.snapshotFailed(a);
        break;
      case Input.historyRead:
        core.historyRead(a, payload as { truncated: number } | { rows: readonly Row[] });
        break;
      default:
        core.client(a);
    }
  }
}
