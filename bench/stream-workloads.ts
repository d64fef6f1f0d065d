/** Workloads of one server with a small tree: rates, and latencies of a single client. */
import { BenchServer, drive } from "./bench-server.ts";
import { median, type Goal, type Report } from "./report.ts";
import type { Settings, Workload } from "./workload.ts";

/** What load.ts and unary.ts print. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly clientMicrosPerOp: number;
  readonly serverMicrosPerOp: Readonly<Record<"main" | "log" | "checkpoint" | "v8" | "other", number>>;
  readonly serverMb?: number;
}

interface Rate {
  readonly name: string;
  readonly script?: "load.ts" | "unary.ts";
  readonly options: Readonly<Record<string, string | number>>;
  readonly perSecond?: Goal;
  /** Goals of latencies, milliseconds: then those are the figures. */
  readonly p50?: Goal;
  readonly p99?: Goal;
}

/** Goals are for 100-byte values on two cores that the server shares with the client. */
const rates: readonly Rate[] = [
  { name: "set", options: { op: "set" }, perSecond: { atLeast: 100_000 } },
  { name: "get", options: { op: "get" }, perSecond: { atLeast: 300_000 } },
  { name: "create", options: { op: "create" }, perSecond: { atLeast: 56_000 } },
  { name: "mixed", options: { op: "mixed" } },
  { name: "set-64x1", options: { op: "set", sessions: 64, inflight: 1 }, perSecond: { atLeast: 16_200 } },
  {
    name: "set-1x1",
    options: { op: "set", sessions: 1, inflight: 1 },
    p50: { atMost: 0.61 },
    p99: { atMost: 1.49 },
  },
  { name: "get-1x1", options: { op: "get", sessions: 1, inflight: 1 }, p50: { atMost: 0.12 } },
  { name: "unary-get", script: "unary.ts", options: { op: "get" }, perSecond: { atLeast: 26_400 } },
  { name: "unary-set", script: "unary.ts", options: { op: "set" }, perSecond: { atLeast: 13_800 } },
];

export const streamWorkloads: readonly Workload[] = rates.map((rate) => ({
  name: rate.name,
  run: (settings, report) => run(rate, settings, report),
}));

async function run(rate: Rate, settings: Settings, report: Report): Promise<void> {
  const server = await BenchServer.start(settings.dataDir);
  const results: LoadResult[] = [];
  for (let i = 0; i < settings.repetitions; i++) {
    const { address, pid } = server;
    const time = { warmup: settings.warmupSeconds, seconds: settings.seconds };
    results.push(await drive<LoadResult>(rate.script ?? "load.ts", { server: address, pid, ...time, ...rate.options }));
  }
  await server.end("SIGTERM");
  const remark = describe(results);
  if (rate.p50 === undefined) {
    const values = results.map(({ perSecond }) => perSecond);
    report.add({ name: rate.name, unit: "/s", goal: rate.perSecond, values, remark, details: results });
    return;
  }
  for (const percentile of ["p50", "p99"] as const) {
    report.add({
      name: `${rate.name} ${percentile}`,
      unit: "ms",
      goal: rate[percentile],
      values: results.map((result) => result[percentile]),
      ...(percentile === "p99" ? { remark, details: results } : {}),
    });
  }
}

/** Where the time goes, as medians. */
export function describe(results: readonly LoadResult[]): string {
  const middle = (of: (result: LoadResult) => number): string => String(Number(median(results.map(of)).toPrecision(2)));
  const { main, log, checkpoint, v8 } = {
    main: middle((result) => result.serverMicrosPerOp.main),
    log: middle((result) => result.serverMicrosPerOp.log),
    checkpoint: middle((result) => result.serverMicrosPerOp.checkpoint),
    v8: middle((result) => result.serverMicrosPerOp.v8),
  };
  const memory = results[0]?.serverMb === undefined ? "" : `; server ${middle((result) => result.serverMb!)} MB`;
  return (
    `µs of CPU each: main ${main}, V8's helpers ${v8}, log ${log}, checkpoint ${checkpoint}, ` +
    `client ${middle((result) => result.clientMicrosPerOp)}; ` +
    `p50 ${middle((result) => result.p50)} ms, p99 ${middle((result) => result.p99)} ms${memory}`
  );
}
