/**
 * The benchmark: `npm run bench -- [--quick] [--only NAME,…] [--json FILE] [--data DIR]`.
 *
 * Every workload gets a fresh server process with the settings people use, fsync included, and is driven by another
 * process on the same machine. It measures; it does not test: the exit code says only whether everything could be run.
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensembleWorkloads } from "./ensemble-workloads.ts";
import { failover } from "./failover.ts";
import { fanOut } from "./fan-out-workload.ts";
import { largeTree } from "./large-tree.ts";
import { Report } from "./report.ts";
import { streamWorkloads } from "./stream-workloads.ts";
import type { Workload } from "./workload.ts";

const workloads: readonly Workload[] = [...streamWorkloads, ...ensembleWorkloads, fanOut, largeTree, failover];

const { values: flags } = parseArgs({
  options: {
    /** One short repetition of everything, and a tree of 100,000 znodes. */
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    json: { type: "string" },
    /** Where servers keep their data; must lie on a real disk. */
    data: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) {
  console.log("npm run bench -- [--quick] [--only NAME,…] [--json FILE] [--data DIR]");
  console.log(`names: ${workloads.map(({ name }) => name).join(", ")}`);
  process.exit(0);
}

/** Magic number of tmpfs in statfs(2). */
const tmpfs = 0x01021994;

/** A directory on a disk: what is synced to memory says nothing. */
function chooseDirectory(): string {
  const own = join(dirname(fileURLToPath(import.meta.url)), ".data");
  const candidates = flags.data === undefined ? [own, tmpdir()] : [flags.data];
  for (const candidate of candidates) {
    mkdirSync(candidate, { recursive: true });
    if (statfsSync(candidate).type !== tmpfs) return candidate;
  }
  throw new Error(`${candidates.join(" and ")}: memory, not disk; name another directory with --data`);
}

function chosen(): readonly Workload[] {
  if (flags.only === undefined) return workloads;
  return flags.only.split(",").map((name) => {
    const found = workloads.find((workload) => workload.name === name);
    if (found !== undefined) return found;
    throw new Error(`there is no workload ${name}; there are ${workloads.map((workload) => workload.name).join(", ")}`);
  });
}

async function main(): Promise<void> {
  const selected = chosen();
  const directory = chooseDirectory();
  const environment = {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? "",
    memoryMb: Math.round(totalmem() / 1e6),
    kernel: release(),
    node: process.version,
    loadBefore: loadavg().map((load) => Number(load.toFixed(2))),
    quick: flags.quick,
  };
  console.log(
    `${environment.cpus} cores (${environment.model}), Node ${environment.node}, kernel ${environment.kernel}; ` +
      `data under ${directory}; load average ${environment.loadBefore.join(", ")}`,
  );
  const report = new Report(flags.json, environment);
  const settings = flags.quick
    ? { repetitions: 1, warmupSeconds: 1, seconds: 2, znodes: 100_000 }
    : { repetitions: 3, warmupSeconds: 2, seconds: 5, znodes: 1_000_000 };
  for (const workload of selected) {
    const dataDir = mkdtempSync(join(directory, `${workload.name}-`));
    const remove = (): void => {
      rmSync(dataDir, { recursive: true, force: true });
    };
    // Also when it fails or is interrupted.
    process.once("exit", remove);
    await workload.run({ ...settings, dataDir }, report);
    process.off("exit", remove);
    remove();
  }
  console.log(`bench: ${report.met} goals met, ${report.missed} missed`);
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(error);
  console.log("bench: failed");
  process.exit(1);
}
