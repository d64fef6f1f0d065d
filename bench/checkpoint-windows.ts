/**
 * What a running checkpoint does to latencies: time is cut into windows, a window belongs to those in which the
 * checkpoint worker ran or to those in which it slept, and so do the latencies of what was answered in it.
 */
import { checkpointThread, cpuOfThread } from "./process-times.ts";
import { LatencyHistogram } from "./latency.ts";

const windowMs = 100;
/** CPU of the checkpoint worker in a window from which on it counts as running, and up to which as sleeping. */
const runningMs = 10;
const sleepingMs = 1;

interface Kind {
  windows: number;
  readonly latency: LatencyHistogram;
}

export class CheckpointWindows {
  private readonly pid: number;
  private readonly thread: number;
  private readonly running: Kind = { windows: 0, latency: new LatencyHistogram() };
  private readonly sleeping: Kind = { windows: 0, latency: new LatencyHistogram() };
  private readonly current = new LatencyHistogram();
  private cpuMs: number;

  constructor(pid: number) {
    const thread = checkpointThread(pid);
    if (thread === undefined) throw new Error("the server has no checkpoint worker");
    this.pid = pid;
    this.thread = thread;
    this.cpuMs = cpuOfThread(pid, thread);
    setInterval(() => {
      this.endWindow();
    }, windowMs);
  }

  record(ms: number): void {
    this.current.record(ms);
  }

  private endWindow(): void {
    const cpuMs = cpuOfThread(this.pid, this.thread);
    const used = cpuMs - this.cpuMs;
    this.cpuMs = cpuMs;
    const kind = used >= runningMs ? this.running : used <= sleepingMs ? this.sleeping : undefined;
    if (kind !== undefined) {
      kind.windows++;
      kind.latency.add(this.current);
    }
    this.current.reset();
  }

  summary(): { running: object; sleeping: object; p99Ratio: number } {
    const { running, sleeping } = this;
    return {
      running: { windows: running.windows, ...running.latency.summary() },
      sleeping: { windows: sleeping.windows, ...sleeping.latency.summary() },
      p99Ratio: Number((running.latency.percentile(0.99) / sleeping.latency.percentile(0.99)).toFixed(2)),
    };
  }
}
