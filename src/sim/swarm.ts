/**
 * A scenario drawn from a seed. Each class of faults is on or off as a whole: what a run leaves out lets it go deeper
 * into what remains.
 */
import type { CrashMode } from "./disk.ts";
import type { Fault, FaultKind, Scenario, Target } from "./fault.ts";
import { Seed, type Prng } from "./prng.ts";

/** Where a process can end, between two things that its disk does. */
export const persistencePoints: readonly string[] = [
  ...[
    "acceptEpoch",
    "establishEpoch",
    "append",
    "truncate",
    "commit",
    "rememberAcks",
    "form",
    "markRecovering",
  ].flatMap(aroundStep),
  ...aroundStep("install"),
  ...aroundStep("purge"),
  "lowered watermark",
  "before checkpoint stored",
  "after checkpoint stored",
  "before swap",
  "while swapping",
  "after swap",
  "before fold",
  "after fold",
  "before recovery",
  "recovered log made durable",
  "after recovery",
];

function aroundStep(kind: string): string[] {
  return [`before ${kind}`, `written ${kind}`, `synced ${kind}`];
}

const linkMessages: readonly string[] = [
  ...["learnerInfo", "ackEpoch", "ackDiff", "ackNewLeader", "ack", "pong", "request"],
  ...["leaderInfo", "trunc", "snap", "diff", "newLeader", "upToDate", "proposal", "commit", "ping", "answer"],
];

type Maker = (chance: Prng, at: number, world: World) => Fault;

interface World {
  readonly nodes: number;
  readonly voters: number;
}

/** How often each class strikes relative to the others, where it is on. */
const classes: Readonly<Record<FaultKind, { weight: number; make: Maker }>> = {
  crash: {
    weight: 6,
    make: (chance, at, world) => ({
      at,
      kind: "crash",
      target: target(chance, world),
      mode: mode(chance),
      downMs: down(chance),
    }),
  },
  crashAll: {
    weight: 0.7,
    make: (chance, at, { nodes }) => ({
      at,
      kind: "crashAll",
      mode: mode(chance),
      downMs: Array.from({ length: nodes }, () => down(chance)),
    }),
  },
  trap: {
    weight: 8,
    make: (chance, at, world) => {
      const point = chance.pick(persistencePoints);
      // An ensemble forms only once, at the very beginning, when there is no leader.
      const forming = point.endsWith(" form");
      return {
        at: forming ? 0 : at,
        kind: "trap",
        target: forming ? chance.between(1, world.voters) : target(chance, world),
        point,
        skip: forming || chance.chance(0.7) ? 0 : chance.below(5),
        mode: mode(chance),
      };
    },
  },
  failSync: {
    weight: 2,
    make: (chance, at, world) => ({
      at,
      kind: "failSync",
      target: target(chance, world),
      skip: chance.below(4),
      variant: chance.chance(0.5) ? "new" : "old",
    }),
  },
  slowDisk: {
    weight: 1,
    make: (chance, at, world) => ({
      at,
      kind: "slowDisk",
      target: target(chance, world),
      factor: chance.between(5, 200),
      ms: chance.between(200, 4000),
    }),
  },
  stallDisk: {
    weight: 1,
    make: (chance, at, world) => ({
      at,
      kind: "stallDisk",
      target: target(chance, world),
      ms: chance.between(100, 6000),
    }),
  },
  lyingDisk: {
    weight: 0.5,
    make: (chance, at, world) => ({
      at,
      kind: "lyingDisk",
      target: target(chance, world),
      ms: chance.between(500, 5000),
    }),
  },
  wipe: {
    weight: 0.7,
    make: (chance, at, world) => ({ at, kind: "wipe", target: target(chance, world), downMs: down(chance) }),
  },
  setAside: { weight: 1, make: (chance, at, world) => ({ at, kind: "setAside", target: target(chance, world) }) },
  restore: {
    weight: 1,
    make: (chance, at, world) => ({ at, kind: "restore", target: target(chance, world), downMs: down(chance) }),
  },
  pause: {
    weight: 3,
    make: (chance, at, world) => ({ at, kind: "pause", target: target(chance, world), ms: chance.between(50, 6000) }),
  },
  partition: {
    weight: 4,
    make: (chance, at, world) => ({
      at,
      kind: "partition",
      blocked: cut(chance, world),
      ms: chance.between(100, 8000),
    }),
  },
  isolate: {
    weight: 3,
    make: (chance, at, world) => ({
      at,
      kind: "isolate",
      target: target(chance, world),
      way: chance.pick(["both", "in", "out"] as const),
      ms: chance.between(100, 6000),
    }),
  },
  clog: {
    weight: 3,
    make: (chance, at, world) => ({ at, kind: "clog", ...pair(chance, world), ms: chance.between(20, 3000) }),
  },
  reset: {
    weight: 4,
    make: (chance, at, world) => {
      const { from, to } = pair(chance, world);
      return { at, kind: "reset", a: from, b: to };
    },
  },
  breakOn: {
    weight: 5,
    make: (chance, at, world) => ({
      at,
      kind: "breakOn",
      ...pair(chance, world),
      type: chance.pick(linkMessages),
      count: chance.between(1, 3),
    }),
  },
  stray: {
    weight: 3,
    make: (chance, at, world) => ({
      at,
      kind: "stray",
      ...pair(chance, world),
      type: chance.pick(linkMessages),
      age: chance.below(4),
    }),
  },
  clockJump: {
    weight: 1,
    make: (chance, at, world) => ({
      at,
      kind: "clockJump",
      target: target(chance, world),
      ms: chance.between(-3_600_000, 3_600_000),
    }),
  },
  clockRate: {
    weight: 1,
    make: (chance, at, world) => ({
      at,
      kind: "clockRate",
      target: target(chance, world),
      rate: 0.95 + chance.float() * 0.1,
    }),
  },
  diskLow: {
    weight: 0.5,
    make: (chance, at, world) => ({
      at,
      kind: "diskLow",
      target: target(chance, world),
      ms: chance.between(100, 3000),
    }),
  },
  resign: { weight: 1, make: (_, at) => ({ at, kind: "resign", target: "leader" }) },
};

export function drawScenario(seed: string): Scenario {
  const chance = new Seed(seed).stream("swarm");
  const voters = chance.pick([3, 3, 3, 5]);
  const observers = chance.pick([0, 0, 0, 1]);
  const nodes = voters + observers;
  const faultyMs = chance.between(30_000, 50_000);
  const timeoutMs = chance.pick([400, 700, 1000]);
  const meanDelay = chance.pick([200, 500, 2000, 10_000]);
  return {
    seed,
    voters,
    observers,
    tickMs: 50,
    pingMs: 100,
    timeoutMs,
    windowBytes: chance.pick([0, 500, 5000, 100_000]),
    pieceBytes: chance.pick([1000, 4000, 20_000]),
    network: { minDelay: chance.pick([50, 100]), meanDelay, keepalive: chance.pick([300_000, 2_000_000, 10_000_000]) },
    disk: {
      writeTime: chance.pick([50, 200]),
      syncTime: chance.pick([200, 1000, 5000]),
      // The writer takes all that has come meanwhile; with less, a slow disk would only show an overload.
      maxGathered: chance.pick([8, 32, 128]),
      checkpointEvery: chance.pick([10, 50, 300]),
    },
    clockRates: Array.from({ length: nodes }, () => (chance.chance(0.5) ? 1 : 0.97 + chance.float() * 0.06)),
    callEvery: chance.pick([5000, 10_000, 20_000]),
    calls: 100_000,
    faultyMs,
    faults: drawFaults(chance, faultyMs, { nodes, voters }),
  };
}

function drawFaults(chance: Prng, faultyMs: number, world: World): Fault[] {
  const kinds = (Object.keys(classes) as FaultKind[]).filter(() => chance.chance(0.5));
  const every = chance.pick([300, 600, 1200, 3000]);
  const faults: Fault[] = [];
  let total = 0;
  for (const kind of kinds) total += classes[kind].weight;
  if (total === 0) return faults;
  for (let at = chance.exponential(every); at < faultyMs; at += chance.exponential(every)) {
    let draw = chance.float() * total;
    const kind = kinds.find((candidate) => (draw -= classes[candidate].weight) < 0) ?? kinds[0]!;
    faults.push(classes[kind].make(chance, Math.floor(at), world));
  }
  return faults;
}

function target(chance: Prng, { nodes }: World): Target {
  const draw = chance.float();
  return draw < 0.3 ? "leader" : draw < 0.5 ? "follower" : chance.between(1, nodes);
}

function mode(chance: Prng): CrashMode {
  return chance.chance(0.7) ? "power" : "kill";
}

function down(chance: Prng): number {
  return Math.floor(chance.pick([5, 100, 500, 3000]) * (0.5 + chance.float()));
}

function pair(chance: Prng, { nodes }: World): { from: number; to: number } {
  const from = chance.between(1, nodes);
  const to = chance.between(1, nodes - 1);
  return { from, to: to >= from ? to + 1 : to };
}

/** Directions to block: two sides, in both ways or one, or a few links alone. */
function cut(chance: Prng, world: World): [number, number][] {
  const { nodes } = world;
  const blocked: [number, number][] = [];
  if (chance.chance(0.4)) {
    const count = chance.between(1, nodes);
    for (let i = 0; i < count; i++) {
      const { from, to } = pair(chance, world);
      blocked.push([from, to]);
      if (chance.chance(0.5)) blocked.push([to, from]);
    }
    return blocked;
  }
  const side = Array.from({ length: nodes + 1 }, () => chance.chance(0.5));
  const symmetric = chance.chance(0.7);
  for (let from = 1; from <= nodes; from++) {
    for (let to = 1; to <= nodes; to++) {
      if (side[from] === side[to]) continue;
      if (symmetric || side[from] === true) blocked.push([from, to]);
    }
  }
  return blocked;
}
