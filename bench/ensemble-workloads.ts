/** Rates of three servers that share this machine with each other and with the client. */
import { ServerRole } from "../src/client/index.ts";
import { BenchEnsemble } from "./bench-ensemble.ts";
import { drive } from "./bench-server.ts";
import type { Goal, Report } from "./report.ts";
import { describe, type LoadResult } from "./stream-workloads.ts";
import type { Settings, Workload } from "./workload.ts";

interface Rate {
  readonly name: string;
  /** Which server the sessions are attached to. */
  readonly at: ServerRole.LEADING | ServerRole.FOLLOWING;
  readonly options: Readonly<Record<string, string | number>>;
  readonly perSecond?: Goal;
}

const rates: readonly Rate[] = [
  { name: "set-3", at: ServerRole.LEADING, options: { op: "set" }, perSecond: { atLeast: 80_000 } },
  { name: "set-3-forwarded", at: ServerRole.FOLLOWING, options: { op: "set" } },
  { name: "get-3-follower", at: ServerRole.FOLLOWING, options: { op: "get" }, perSecond: { atLeast: 300_000 } },
];

export const ensembleWorkloads: readonly Workload[] = rates.map((rate) => ({
  name: rate.name,
  run: (settings, report) => run(rate, settings, report),
}));

async function run(rate: Rate, settings: Settings, report: Report): Promise<void> {
  const ensemble = await BenchEnsemble.start(3, settings.dataDir);
  const roles = await Promise.all(ensemble.members.map((member) => member.role()));
  const { address, pid } = ensemble.members[roles.indexOf(rate.at)]!;
  const results: LoadResult[] = [];
  for (let i = 0; i < settings.repetitions; i++) {
    const time = { warmup: settings.warmupSeconds, seconds: settings.seconds };
    results.push(await drive<LoadResult>("load.ts", { server: address, pid, ...time, ...rate.options }));
  }
  await ensemble.end();
  const values = results.map(({ perSecond }) => perSecond);
  report.add({
    name: rate.name,
    unit: "/s",
    goal: rate.perSecond,
    values,
    remark: describe(results),
    details: results,
  });
}
