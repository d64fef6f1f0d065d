/** What a process has used, from /proc: CPU time by thread, resident memory, bytes written. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

/** The threads of a server, by their work. */
export const roles = ["main", "log", "checkpoint", "v8", "other"] as const;
export type Role = (typeof roles)[number];
export type CpuTimes = Record<Role, number>;

interface Thread {
  readonly name: string;
  readonly nice: number;
  readonly cpuMs: number;
}

/** CPU time of each thread of a process so far. */
export type ThreadTimes = ReadonlyMap<number, Thread>;

export function threadTimes(pid: number): ThreadTimes {
  const threads = new Map<number, Thread>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8");
      const schedstat = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8");
      const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      threads.set(Number(task), { name, nice: Number(fields[16]), cpuMs: Number(schedstat.split(" ")[0]) / 1e6 });
    } catch {
      // The thread has ended.
    }
  }
  return threads;
}

/**
 * Milliseconds of CPU each part of a server used in between. The checkpoint worker is known by its low priority, the
 * log worker as the busiest of the other workers; `v8` collects garbage and compiles.
 */
export function cpuBetween(pid: number, before: ThreadTimes, after: ThreadTimes): CpuTimes {
  const times: CpuTimes = { main: 0, log: 0, checkpoint: 0, v8: 0, other: 0 };
  for (const [id, { name, nice, cpuMs }] of after) {
    const used = cpuMs - (before.get(id)?.cpuMs ?? 0);
    if (id === pid) times.main += used;
    else if (nice > 0) times.checkpoint += used;
    else if (/^v8/i.test(name)) times.v8 += used;
    else if (name !== "WorkerThread") times.other += used;
    else if (used > times.log) {
      times.other += times.log;
      times.log = used;
    } else times.other += used;
  }
  return times;
}

/** The thread of the checkpoint worker; undefined while there is none. */
export function checkpointThread(pid: number): number | undefined {
  for (const [id, { nice }] of threadTimes(pid)) if (nice > 0 && id !== pid) return id;
  return undefined;
}

/** CPU time of one thread so far, milliseconds. */
export function cpuOfThread(pid: number, thread: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

/** Resident memory, MB of 10^6 bytes. */
export function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1.024e-3;
}

/** Bytes the process has caused to be written to disks. */
export function bytesWritten(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
}
