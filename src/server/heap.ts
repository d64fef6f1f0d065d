/**
 * Keeps V8 from holding far more memory than it uses. Nearly all that a server keeps lies outside of V8's heap, in
 * buffers, so what V8 sizes by the machine's memory is out of proportion to it:
 *
 *   - The young generation may grow to 128 MB, without any gain in speed over 32.
 *   - The old one may grow to several times what is alive before it is collected. With a small tree that may be so; with
 *     a large one it is collected when it has grown by half, which costs helper threads up to four microseconds a create.
 *   - What a burst of writes made it grow stays until the next burst: nothing is allocated, so nothing is collected.
 *
 * The first two are bounded by flags that V8 reads again and again, the third by a full collection when nothing happens:
 * some tens of milliseconds, a few after each burst.
 */
import { performance, type EventLoopUtilization } from "node:perf_hooks";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How often the young generation is looked at. */
const lookMs = 50;
/** Both halves of it. */
const youngBytes = 32 * 1024 * 1024;
/** With this much in buffers a tree is large. */
const largeTreeBytes = 128 * 1024 * 1024;
/** How much the old generation then grows between two collections. 0 leaves it to V8. */
const growingPercent = 50;

/** A server is idle when it did almost nothing for this long. */
const idleMs = 1500;
const idleUtilization = 0.02;
/** What the heap must have grown since the last collection here to be worth one. */
const worthBytes = 24 * 1024 * 1024;

type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

export class HeapKeeper {
  private readonly timer: NodeJS.Timeout;
  private readonly collect: Collect;
  private mayGrow = true;
  private isLarge = false;
  private since: EventLoopUtilization = performance.eventLoopUtilization();
  private lookedAt = performance.now();
  /** What the heap took after the last collection here. */
  private settledBytes = 0;

  constructor() {
    setFlagsFromString("--expose-gc");
    this.collect = runInNewContext("gc") as Collect;
    setFlagsFromString("--no-expose-gc");
    this.timer = setInterval(() => {
      this.boundYoung();
      this.boundOld();
      this.collectWhenIdle();
    }, lookMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The young generation doubles when much survives in it, unless it is told not to. */
  private boundYoung(): void {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    const mayGrow = (young?.space_size ?? 0) < youngBytes;
    if (mayGrow === this.mayGrow) return;
    this.mayGrow = mayGrow;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  }

  private boundOld(): void {
    const isLarge = getHeapStatistics().external_memory > largeTreeBytes;
    if (isLarge === this.isLarge) return;
    this.isLarge = isLarge;
    setFlagsFromString(`--heap-growing-percent=${isLarge ? growingPercent : 0}`);
  }

  private collectWhenIdle(): void {
    const now = performance.now();
    if (now - this.lookedAt < idleMs) return;
    this.lookedAt = now;
    const before = this.since;
    this.since = performance.eventLoopUtilization();
    if (performance.eventLoopUtilization(this.since, before).utilization > idleUtilization) return;
    if (getHeapStatistics().total_physical_size < this.settledBytes + worthBytes) return;
    this.collect({ type: "major", execution: "sync", flavor: "last-resort" });
    this.settledBytes = getHeapStatistics().total_physical_size;
  }
}
