import { drawScenario } from "../../src/sim/swarm.ts";
import { run } from "../../src/sim/run.ts";
import { recordProgram } from "../../src/sim/record-core.ts";
import { replicaProgram } from "../../src/sim/replica-core.ts";
const first = Number(process.argv[2] ?? 1),
  count = Number(process.argv[3] ?? 20),
  trace = process.argv[4] === "trace";
const t0 = performance.now();
let events = 0,
  steps = 0,
  acked = 0;
const fails = new Map<string, string[]>();
const cov = new Map<string, number>();
for (let s = first; s < first + count; s++) {
  const r = run(
    drawScenario(String(s)),
    recordProgram,
    trace
      ? (c) => ({ line: (n, t) => console.log(c.virtualMs.toFixed(3).padStart(10), " ".repeat(n * 30) + t) })
      : undefined,
  );
  events += r.events;
  steps += r.steps;
  acked += r.acknowledged;
  for (const [k, v] of r.coverage) cov.set(k, (cov.get(k) ?? 0) + v);
  if (r.failure) {
    const k = r.failure.check + " " + r.failure.message.replace(/\d+/g, "N");
    fails.set(k, [...(fails.get(k) ?? []), String(s)]);
    if (trace) console.log(r.failure, r.failure.cause);
  }
  if (count <= 5) console.log(s, r.failure?.message, r.events, r.steps, r.calls, r.acknowledged, r.reads, r.hash);
}
const ms = performance.now() - t0;
for (const [k, v] of fails) console.log(v.length, k, v.slice(0, 6).join(" "));
console.log({ ms, events, evPerS: (events / ms) * 1000, stepsPerSeed: steps / count, acked: acked / count });
if (process.argv[4] === "cov") for (const [k, v] of [...cov].sort()) console.log(v, k);
