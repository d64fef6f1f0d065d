/** One run of one scenario, from the start of the ensemble to its rest. */
import { checkers, Judges } from "./checkers/all.ts";
import { Model } from "./checkers/model.ts";
import { Cluster, type Failure, type Tracer } from "./cluster.ts";
import type { ProgramFactory } from "./core.ts";
import type { Scenario } from "./fault.ts";
import { Seed, type Prng } from "./prng.ts";

export interface RunResult {
  readonly seed: string;
  readonly failure: Failure | undefined;
  readonly events: number;
  /** Events that are no ticks. */
  readonly steps: number;
  readonly calls: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly virtualMs: number;
  /** A digest of everything that happened, in order. */
  readonly hash: number;
  readonly coverage: ReadonlyMap<string, number>;
}

export function run(scenario: Scenario, makeProgram: ProgramFactory, tracer?: (cluster: Cluster) => Tracer): RunResult {
  const cluster = new Cluster(scenario, makeProgram);
  const voters = cluster.members.filter(({ voter }) => voter).map(({ id }) => id);
  cluster.judge = new Judges(checkers, { voters, now: () => cluster.virtualMs, model: new Model() }, (check, problem) =>
    cluster.fail(check, problem),
  );
  if (tracer !== undefined) cluster.tracer = tracer(cluster);
  cluster.start();
  if (cluster.runTo(scenario.faultyMs)) live(cluster, scenario);
  return {
    seed: scenario.seed,
    failure: cluster.failure,
    events: cluster.scheduler.fired,
    steps: cluster.steps,
    calls: cluster.calls,
    acknowledged: cluster.acknowledged,
    reads: cluster.readsAnswered,
    virtualMs: cluster.virtualMs,
    hash: cluster.scheduler.hash,
    coverage: cluster.coverage.counts,
  };
}

/** The part without faults: a leader, progress, one history, and rest. */
function live(cluster: Cluster, scenario: Scenario): void {
  const core = cluster.heal();
  const { timeoutMs, faultyMs } = scenario;
  const isWhole = core.length === cluster.members.length;
  // What was lost with the healing is noticed first.
  if (!cluster.runTo(cluster.virtualMs + 3 * timeoutMs)) return;
  const settled = (): boolean => cluster.cores(core).every((server) => server.core?.serving === true);
  const bound = faultyMs + 40 * timeoutMs;
  while (!settled() && cluster.virtualMs < bound) if (!cluster.runTo(cluster.virtualMs + 200)) return;
  if (!settled()) {
    const stuck = cluster.cores(core).map(({ id, core: at }) => {
      return at === undefined
        ? `${id}: down`
        : `${id}: ${at.phase} ${at.last.zxid}@${at.last.epoch} ${at.recovering ?? ""}`;
    });
    cluster.fail("L01", `no leader that everybody in {${core.join(", ")}} follows: ${stuck.join(", ")}`);
    return;
  }
  const before = cluster.acknowledged;
  while (cluster.acknowledged === before && cluster.virtualMs < bound) {
    if (!cluster.runTo(cluster.virtualMs + 1000)) return;
  }
  if (cluster.acknowledged === before) {
    cluster.fail("L02", "no write is acknowledged after healing");
    return;
  }
  const elections = cluster.coverage.of("election", "leader established");
  if (!cluster.runTo(cluster.virtualMs + 5000)) return;
  // Servers outside the core keep their faults, and one of them may lead.
  if (isWhole && cluster.coverage.of("election", "leader established") !== elections) {
    cluster.fail("L04", "the leader changes without a fault");
    return;
  }
  if (isWhole) {
    const chance = new Seed(scenario.seed).stream("links");
    const passed = chance.chance(0.5) ? isolateOne(cluster, scenario, chance) : breakOneWay(cluster, scenario, chance);
    if (!passed) return;
    const again = cluster.virtualMs + 20 * timeoutMs;
    while (!settled() && cluster.virtualMs < again) if (!cluster.runTo(cluster.virtualMs + 200)) return;
    if (!settled()) {
      cluster.fail("L01", "no leader that everybody follows once the links work again");
      return;
    }
  }
  cluster.stopCalling();
  rest(cluster, core);
}

function elected(cluster: Cluster): number {
  return cluster.coverage.of("election", "leader established");
}

/** A follower that was alone for a while comes back: that topples nobody. */
function isolateOne(cluster: Cluster, { timeoutMs }: Scenario, chance: Prng): boolean {
  const ids = cluster.members.map(({ id }) => id);
  const followers = cluster.cores(ids).filter(({ core }) => core?.role === "following");
  if (followers.length === 0) return true;
  const { id } = chance.pick(followers);
  const paths = ids.filter((other) => other !== id).flatMap((other) => [[id, other] as const, [other, id] as const]);
  const before = elected(cluster);
  cluster.close(paths);
  if (!cluster.runTo(cluster.virtualMs + 4 * timeoutMs)) return false;
  cluster.open(paths);
  if (!cluster.runTo(cluster.virtualMs + 4 * timeoutMs)) return false;
  const elections = elected(cluster) - before;
  if (elections > 1) cluster.fail("L07", `server ${id} was alone for a while, and ${elections} elections followed`);
  return elections <= 1;
}

/** One voter does not hear another one: elections must not go on for ever. */
function breakOneWay(cluster: Cluster, { timeoutMs }: Scenario, chance: Prng): boolean {
  const voters = chance.shuffled(cluster.members.filter(({ voter }) => voter).map(({ id }) => id));
  const path = [voters[0]!, voters[1]!] as const;
  const { acknowledged } = cluster;
  cluster.close([path]);
  if (!cluster.runTo(cluster.virtualMs + 10 * timeoutMs)) return false;
  const elections = elected(cluster);
  if (!cluster.runTo(cluster.virtualMs + 5 * timeoutMs)) return false;
  if (elected(cluster) !== elections || cluster.acknowledged === acknowledged) {
    cluster.fail("L08", `server ${path[1]} does not hear server ${path[0]}, and the ensemble does not come to rest`);
    return false;
  }
  cluster.open([path]);
  return true;
}

/** Longest session timeout of the clients, with what clocks that run slow add, and the time an expiry takes. */
const sessionsEndMs = 10_000;
const restMs = 60_000;

/** Nobody asks for anything: sessions end, and all servers come to one state. */
function rest(cluster: Cluster, core: readonly number[]): void {
  if (!cluster.runTo(cluster.virtualMs + sessionsEndMs)) return;
  const bound = cluster.virtualMs + restMs;
  const cores = () => cluster.cores(core).flatMap((server) => server.core ?? []);
  const isOne = () => {
    const all = cores();
    return (
      all.length === core.length &&
      all.every(({ applied, digest }) => {
        return applied === all[0]!.applied && digest === all[0]!.digest;
      })
    );
  };
  while (!isOne() && cluster.virtualMs < bound) if (!cluster.runTo(cluster.virtualMs + 500)) return;
  if (!isOne()) {
    const applied = cores().map((server) => server.applied);
    cluster.fail("L03", `servers do not come to one state: ${applied.join(", ")} applied`);
    return;
  }
  for (const id of core) cluster.look(cluster.server(id));
  const living = cores()[0]!.state?.sessions.count ?? 0;
  const ephemerals = cores()[0]!.state?.tree.ephemeralCount ?? 0;
  if (living > 0 || ephemerals > 0) {
    cluster.fail("S04", `${living} sessions and ${ephemerals} ephemeral znodes outlive their clients`);
  }
}
