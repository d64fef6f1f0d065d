/**
 * A large tree: how fast it is loaded, what it takes in memory, how soon a server serves it again after a clean stop
 * and after a kill, and what a running checkpoint does to writes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../src/client/index.ts";
import { BenchServer, drive } from "./bench-server.ts";
import { residentMb } from "./process-times.ts";
import type { Goal, Report } from "./report.ts";
import { describe, type LoadResult } from "./stream-workloads.ts";
import type { Settings, Workload } from "./workload.ts";

const parents = 1000;
const aZnode = "/big/p7/k7";

/** The goals are for a million znodes. */
const fullSize = 1_000_000;
const memory: Goal = { atMost: 600 };
const restart: Goal = { atMost: 2 };

/** Windows of each kind without which a ratio says nothing. */
const leastWindows = 10;

interface CheckpointResult extends LoadResult {
  readonly running: { readonly windows: number; readonly p99: number };
  readonly sleeping: { readonly windows: number; readonly p99: number };
  readonly p99Ratio: number;
}

export const largeTree: Workload = {
  name: "large-tree",
  async run(settings, report) {
    const tree = new LargeTree(settings, report);
    await tree.load();
    await tree.checkpoint();
    await tree.restart("SIGTERM");
    await tree.restart("SIGKILL");
  },
};

class LargeTree {
  private readonly settings: Settings;
  private readonly report: Report;
  private server!: BenchServer;

  constructor(settings: Settings, report: Report) {
    this.settings = settings;
    this.report = report;
  }

  /** The goal, if the tree is as large as it says. */
  private goal(goal: Goal): Goal | undefined {
    return this.settings.znodes === fullSize ? goal : undefined;
  }

  private name(what: string): string {
    const { znodes } = this.settings;
    return `${znodes === fullSize ? "1M" : znodes.toLocaleString("en")} znodes: ${what}`;
  }

  async load(): Promise<void> {
    const { settings, report } = this;
    this.server = await BenchServer.start(settings.dataDir);
    const { address: server, pid } = this.server;
    const filled = await drive<{ perSecond: number }>("fill.ts", { server, znodes: settings.znodes, parents });
    const right = residentMb(pid);
    report.add({
      name: this.name("load, multi of 100"),
      unit: "znodes/s",
      goal: this.goal({ atLeast: 158_000 }),
      values: [filled.perSecond],
    });
    report.add({ name: this.name("memory after load"), unit: "MB", goal: this.goal(memory), values: [right] });
  }

  /** Sets spread over the whole tree, so that the checkpoint has much to write. */
  async checkpoint(): Promise<void> {
    const { settings, report, server } = this;
    const results: CheckpointResult[] = [];
    for (let i = 0; i < settings.repetitions; i++) {
      results.push(
        await drive<CheckpointResult>("load.ts", {
          server: server.address,
          pid: server.pid,
          op: "set",
          root: "/big",
          filled: parents,
          keys: settings.znodes,
          sessions: 32,
          inflight: 1,
          warmup: settings.warmupSeconds,
          seconds: settings.seconds * 4,
          checkpoint: "true",
        }),
      );
    }
    const windows = results.reduce((sum, { running }) => sum + running.windows, 0);
    const quiet = results.reduce((sum, { sleeping }) => sum + sleeping.windows, 0);
    // After a large load the checkpoint may be at work all the time: then there is nothing to compare with.
    const comparable = results.filter(
      ({ running, sleeping }) => Math.min(running.windows, sleeping.windows) >= leastWindows,
    );
    if (comparable.length === 0) throw new Error(`${windows} windows with a checkpoint and ${quiet} without: too few`);
    report.add({
      name: this.name("p99 of set, checkpoint ÷ none"),
      unit: "×",
      goal: { atMost: 2 },
      values: comparable.map(({ p99Ratio }) => p99Ratio),
      remark: `${windows} windows of 100 ms with, ${quiet} without; ${describe(results)}`,
      details: results,
    });
  }

  /** Restarts the server again and again, each time after some writes. */
  async restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { settings, report } = this;
    const how = signal === "SIGTERM" ? "clean stop" : "kill -9";
    const served: number[] = [];
    const resident: number[] = [];
    const details: object[] = [];
    for (let i = 0; i < settings.repetitions; i++) {
      await this.write();
      const behind = await this.behind();
      const ended = await this.server.end(signal);
      this.server = await BenchServer.start(settings.dataDir);
      const servedMs = await this.server.firstGet(aZnode);
      served.push(servedMs / 1000);
      await sleep(1000);
      resident.push(residentMb(this.server.pid));
      details.push({ behind, endedMs: Math.round(ended), servedMs: Math.round(servedMs) });
    }
    report.add({
      name: this.name(`${how} to serving again`),
      unit: "s",
      goal: this.goal(restart),
      values: served,
      remark: details.map((detail) => JSON.stringify(detail)).join(" "),
      details,
    });
    report.add({ name: this.name(`memory after ${how}`), unit: "MB", goal: this.goal(memory), values: resident });
    if (signal === "SIGKILL") await this.server.end("SIGTERM");
  }

  private async write(): Promise<void> {
    const { settings, server } = this;
    const load = { op: "set", root: "/big", filled: parents, keys: settings.znodes, warmup: 0, seconds: 2 };
    await drive("load.ts", { server: server.address, ...load });
  }

  /** How many transactions the checkpoint is behind the log. */
  private async behind(): Promise<number> {
    const connection = await connect({ server: this.server.address });
    const { committedZxid, checkpointZxid } = await connection.cluster.getStatus({});
    connection.close();
    return Number(committedZxid - checkpointZxid);
  }
}
