/**
 * Watches that stream. A property over random histories: whatever a watch was told, added up, is the tree as of each of
 * its cursors. Then the single promises by name.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answersAreDurable, covers, modelAt, sumIsExact, type Scope } from "../../test/support/replica-checks.ts";
import {
  anyAge,
  bytes,
  clusterId,
  getData,
  watchOf,
  World,
  type Connection,
  type Entry,
  type RecordingSink,
} from "../../test/support/replica-world.ts";
import { caller, create, del, deleteSubtree, setAcl, setData } from "../../test/support/tree-leader.ts";
import type { WriteRequest } from "../tree/request.ts";
import type { Watch } from "../watches/watch-table.ts";
import { wholeTxn, type WatchSpec } from "./watch-feeds.ts";

const runs = Number(process.env["ZABTREE_RUNS"] ?? 300);
const seed = process.env["ZABTREE_SEED"];
const parameters = { numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) };

// ---- random histories

const paths = ["/a", "/a/x", "/a/x/1", "/a/x/2", "/a/y", "/a!", "/a!/x", "/b", "/b/x"];
const roots = ["/", "/a", "/a/x", "/b"];

type Step =
  | { readonly kind: "write"; readonly requests: readonly WriteRequest[] }
  | {
      readonly kind: "watch";
      readonly root: string;
      readonly scope: Scope;
      readonly start: "now" | "currentState" | "resume";
      readonly at: number;
      readonly room: number;
    }
  | { readonly kind: "drain"; readonly which: number; readonly room: number }
  | { readonly kind: "cancel"; readonly which: number }
  | { readonly kind: "history" | "commit" | "wait" | "crash" };

const somePath = fc.constantFrom(...paths);
const data = fc.oneof(
  fc.constant(null),
  fc.nat(255).map((byte) => Uint8Array.of(byte)),
);

const single: fc.Arbitrary<WriteRequest> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(somePath, data).map(([path, value]) => create(path, { data: value })) },
  { weight: 3, arbitrary: fc.tuple(somePath, data).map(([path, value]) => setData(path, value)) },
  { weight: 3, arbitrary: somePath.map((path) => del(path)) },
  { weight: 1, arbitrary: fc.constantFrom("/a", "/a/x", "/b").map((path) => deleteSubtree(path)) },
  {
    weight: 2,
    arbitrary: fc.tuple(somePath, data, somePath).map(([path, value, other]) => ({
      kind: "multi" as const,
      operations: [setData(path, value), del(path), create(path, { data: value }), setData(other, value)],
    })),
  },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      requests: fc.array(single, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("watch" as const),
      root: fc.constantFrom(...roots),
      scope: fc.constantFrom<Scope>("node", "children", "subtree"),
      start: fc.constantFrom("now" as const, "currentState" as const, "resume" as const),
      at: fc.nat(1000),
      room: fc.constantFrom(0, 1, 2, 5, Infinity),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("drain" as const),
      which: fc.nat(50),
      room: fc.constantFrom(1, 2, 5, Infinity),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const), which: fc.nat(50) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("history" as const, "commit" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("wait" as const, "crash" as const) }) },
);

interface Watching {
  readonly sink: RecordingSink;
  readonly watch: Watch;
  readonly id: number;
  readonly scope: Scope;
  readonly path: string;
  readonly start: { zxid: number; op: number } | "currentState";
  life: number;
}

class Watchers {
  readonly world: World;
  readonly all: Watching[] = [];
  life = 1;

  constructor(world: World) {
    this.world = world;
  }

  add(step: Step & { kind: "watch" }): void {
    const { world } = this;
    if (!world.replica.serving) return;
    const { root, scope } = step;
    const { appliedZxid } = world.replica;
    let start: WatchSpec["start"] = { kind: step.start === "currentState" ? "currentState" : "now" };
    let from: Watching["start"] = step.start === "currentState" ? "currentState" : { zxid: appliedZxid, op: wholeTxn };
    if (step.start === "resume") {
      // Any row of the history, or the end of its transaction.
      const zxid = step.at % (appliedZxid + 1);
      const rows = zxid === 0 ? 0 : world.log.txn(zxid).ops.length;
      const op = step.at % 3 === 0 ? wholeTxn : step.at % Math.max(rows, 1);
      from = { zxid, op };
      start = { kind: "resume", clusterId, zxid, op };
    }
    const sink = world.sink();
    sink.capacity = step.room;
    const id = this.all.length + 1;
    const spec = watchOf(root, scope, start);
    const added = world.replica.addWatch({ sink, id, spec, caller: caller(0) });
    if ("reason" in added) throw new Error(added.message);
    this.all.push({ sink, watch: added, id, scope, path: root, start: from, life: this.life });
  }

  drain(which: number, room: number): void {
    const watching = this.all[which % Math.max(this.all.length, 1)];
    if (watching === undefined) return;
    watching.sink.capacity = room;
    watching.sink.read();
    if (watching.life === this.life) this.world.replica.drained(watching.sink);
  }

  cancel(which: number): void {
    const watching = this.all[which % Math.max(this.all.length, 1)];
    if (watching?.life !== this.life) return;
    this.world.replica.removeWatch(watching.watch);
    watching.life = 0;
  }
}

function run(world: World, steps: readonly Step[]): Watchers {
  const watchers = new Watchers(world);
  for (const step of steps) {
    switch (step.kind) {
      case "write":
        for (const request of step.requests) world.unaryWrite(request);
        break;
      case "watch":
        watchers.add(step);
        break;
      case "drain":
        watchers.drain(step.which, step.room);
        break;
      case "cancel":
        watchers.cancel(step.which);
        break;
      case "history":
        world.answerHistory();
        break;
      case "commit":
        world.replica.flush();
        world.persist();
        break;
      case "wait":
        world.pass(11_000);
        break;
      case "crash":
        world.crash();
        watchers.life++;
        world.persist();
        world.persist();
        break;
    }
  }
  world.settle();
  for (let round = 0; round < 2; round++) {
    for (let which = 0; which < watchers.all.length; which++) watchers.drain(which, Infinity);
    world.settle();
  }
  return watchers;
}

function faultsOf(world: World, watchers: Watchers): string[] {
  const txns = world.log.all();
  const faults = answersAreDurable(world.trace);
  for (const watching of watchers.all) {
    const { sink, start, life, id, scope, path } = watching;
    const found = sumIsExact(watching, start, sink.entries, txns);
    if (life === watchers.life) found.push(...isComplete(sink.entries, watching, world.replica.appliedZxid, txns));
    faults.push(...found.map((fault) => `watch ${id} (${scope} ${path}): ${fault}`));
  }
  return faults;
}

/** A watch that is still there has been told everything. */
function isComplete(
  entries: readonly Entry[],
  watch: Watching,
  applied: number,
  txns: ReturnType<World["log"]["all"]>,
): string[] {
  const told = new Set(entries.flatMap((entry) => (entry.kind === "event" ? [`${entry.zxid}.${entry.op}`] : [])));
  const cursors = entries.filter((entry) => entry.kind === "cursor");
  if (cursors.length === 0) return ["it never had a cursor"];
  const from = watch.start === "currentState" ? cursors.find(({ synced }) => synced) : watch.start;
  if (from === undefined) return ["it was never synced"];
  const faults: string[] = [];
  for (const { zxid, ops } of txns) {
    if (zxid < from.zxid || zxid > applied) continue;
    for (const [op, row] of ops.entries()) {
      const after = zxid > from.zxid || op > from.op;
      if (!after || ![2, 3, 4].includes(row.kind) || !covers(watch.scope, watch.path, row.path)) continue;
      if (!told.has(`${zxid}.${op}`)) faults.push(`event ${zxid}.${op} is missing`);
    }
  }
  return faults;
}

describe("random histories", () => {
  it("add up, for every watch, at every cursor", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, most) => {
        const world = World.serving({ config: { sizes: { recentTxns: 3, walkPiece: 1 + (most % 3) } } });
        world.history.most = most;
        for (const path of paths.slice(0, 4)) world.do(create(path));
        expect(faultsOf(world, run(world, steps))).toEqual([]);
      }),
      parameters,
    );
  });
});

// ---- single promises

function watching(world: World, spec: WatchSpec, more: { room?: number; by?: string[] } = {}) {
  const sink = world.sink();
  sink.capacity = more.room ?? Infinity;
  const watch = world.replica.addWatch({ sink, id: 1, spec, caller: caller(0, ...(more.by ?? [])) });
  return { sink, watch };
}

function resumeAt(zxid: number, op = wholeTxn, path = "/"): WatchSpec {
  return watchOf(path, "subtree", { kind: "resume", clusterId, zxid, op });
}

function drained(world: World, connection: { sink: RecordingSink }, room = Infinity): void {
  connection.sink.capacity = room;
  connection.sink.read();
  world.replica.drained(connection.sink);
}

describe("the scopes", () => {
  it.each([
    ["node", ["/a"]],
    ["children", ["/a", "/a/x"]],
    ["subtree", ["/a", "/a/x", "/a/x/y"]],
  ] as const)("%s covers what it says, as state and as events", (scope, expected) => {
    const world = World.serving();
    const before = watching(world, watchOf("/a", scope));
    for (const path of ["/a", "/a/x", "/a/x/y", "/ab", "/b"]) world.do(create(path));
    expect(before.sink.events.map((event) => event.path)).toEqual(expected);
    const after = watching(world, watchOf("/a", scope, { kind: "currentState" }));
    expect(after.sink.take()).toEqual([...expected.map((path) => `state ${path} [1]`), "synced [1] @6"]);
    const resumed = watching(world, { ...resumeAt(1), path: "/a", scope });
    expect(resumed.sink.events.map((event) => event.path)).toEqual(expected);
  });

  it("a walk of children stays out of what lies below them, wherever it pauses", () => {
    const world = World.serving({ config: { sizes: { walkPiece: 1 } } });
    for (const path of ["/a", "/a/x", "/a/x/1", "/a/x/2", "/a/y"]) world.do(create(path));
    const watch = watching(world, watchOf("/a", "children", { kind: "currentState" }), { room: 1 });
    for (let i = 0; i < 6; i++) drained(world, watch, 1);
    expect(watch.sink.take()).toEqual(["state /a [1]", "state /a/x [1]", "state /a/y [1]", "synced [1] @6"]);
  });
});

describe("the first cursor", () => {
  it("comes at once, and names what was applied when the watch began", () => {
    const world = World.serving();
    const { sink } = watching(world, watchOf("/"));
    expect(sink.take()).toEqual(["cursor [1] @1"]);
    world.do(create("/a"));
    expect(sink.take()).toEqual(["created /a [1] @2"]);
  });

  it("after a restart, when nobody knows how many rows the last transaction had, can be resumed from", () => {
    const world = World.serving();
    world.do({ kind: "multi", operations: [create("/a"), create("/b")] });
    world.tick();
    world.crash();
    world.settle();
    const first = watching(world, watchOf("/")).sink.entries[0]!;
    if (first.kind !== "cursor") throw new Error("no cursor");
    const again = watching(world, resumeAt(first.zxid, first.op));
    world.do(create("/c"));
    expect(again.sink.events.map((event) => event.path)).toEqual(["/c"]);
  });
});

describe("a walk", () => {
  it("tells changes behind it as events and leaves those ahead of it to the walk", () => {
    const world = World.serving({ config: { sizes: { walkPiece: 1 } } });
    for (const path of ["/a", "/b", "/c"]) world.do(create(path));
    const watch = watching(world, watchOf("/", "subtree", { kind: "currentState" }), { room: 3 });
    expect(watch.sink.take()).toEqual(["state / [1]", "state /a [1]", "state /b [1]"]);
    world.do(setData("/a", bytes("behind")));
    world.do(setData("/c", bytes("ahead")));
    world.do(del("/b"));
    world.do(create("/a/x"));
    expect(watch.sink.take()).toEqual(["dataChanged /a [1] @5", "deleted /b [1] @7", "created /a/x [1] @8"]);
    drained(world, watch);
    expect(watch.sink.entries).toMatchObject([
      { path: "/c", mzxid: 6 },
      { path: "/zookeeper" },
      {},
      {},
      { synced: true },
    ]);
  });

  it("survives that its top is deleted and made again while it pauses", () => {
    const world = World.serving({ config: { sizes: { walkPiece: 1 } } });
    for (const path of ["/a", "/a/x", "/a/y"]) world.do(create(path));
    const watch = watching(world, watchOf("/a", "subtree", { kind: "currentState" }), { room: 2 });
    world.do(deleteSubtree("/a"));
    for (const path of ["/a", "/a/y", "/a/z"]) world.do(create(path));
    drained(world, watch);
    const start = "currentState";
    expect(sumIsExact({ id: 1, scope: "subtree", path: "/a" }, start, watch.sink.entries, world.log.all())).toEqual([]);
    expect(watch.sink.entries.at(-1)).toMatchObject({ synced: true });
  });

  it("of nothing is over at once", () => {
    const world = World.serving();
    const { sink } = watching(world, watchOf("/none", "subtree", { kind: "currentState" }));
    expect(sink.take()).toEqual(["synced [1] @1"]);
  });
});

describe("resuming", () => {
  function history(count: number, recentTxns = 4): World {
    const world = World.serving({ config: { sizes: { recentTxns } } });
    for (let i = 0; i < count; i++) world.do(create(`/n${String(i).padStart(3, "0")}`));
    return world;
  }

  it("from the ring needs no history", () => {
    const world = history(10);
    const { sink } = watching(world, resumeAt(8));
    expect(world.history.reads).toBe(0);
    expect(sink.events.map((event) => event.zxid)).toEqual([9, 10, 11]);
    expect(sink.entries.at(-1)).toMatchObject({ kind: "cursor", zxid: 11 });
  });

  it("is not lost where a scan ends right before the ring begins", () => {
    // The ring holds 8 to 11.
    const world = history(10);
    world.history.most = 5;
    const { sink } = watching(world, resumeAt(2));
    world.answerHistory();
    expect(sink.entries.at(-1)).toMatchObject({ kind: "cursor", zxid: 11 });
    expect(sink.events.map((event) => event.zxid)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11]);
    world.do(create("/later"));
    expect(sink.events.at(-1)).toMatchObject({ path: "/later" });
  });

  it("is not lost where its cursor stands inside the transaction right before the ring", () => {
    const world = history(10);
    world.history.most = 2;
    watching(world, resumeAt(2));
    const { sink } = watching(world, resumeAt(7, 0));
    world.settle();
    expect(sink.events.map((event) => event.zxid)).toEqual([8, 9, 10, 11]);
    world.do(create("/later"));
    expect(sink.events.at(-1)).toMatchObject({ path: "/later" });
  });

  it("begins inside a transaction, in the ring and in the history", () => {
    const world = World.serving({ config: { sizes: { recentTxns: 2 } } });
    const zxid = world.do({ kind: "multi", operations: [create("/a"), create("/b"), create("/c")] });
    expect(watching(world, resumeAt(zxid, 0)).sink.events.map((event) => event.path)).toEqual(["/b", "/c"]);
    expect(watching(world, resumeAt(zxid, 2)).sink.events).toEqual([]);
    for (const path of ["/d", "/e", "/f"]) world.do(create(path));
    const late = watching(world, resumeAt(zxid, 1));
    world.settle();
    expect(late.sink.events.map((event) => event.path)).toEqual(["/c", "/d", "/e", "/f"]);
  });

  it("goes on while transactions are committed", () => {
    const world = history(10);
    world.history.most = 2;
    const { sink } = watching(world, resumeAt(1));
    for (let i = 0; i < 8; i++) {
      world.unaryWrite(create(`/live${i}`));
      world.replica.flush();
      world.persist();
      world.answerHistory();
    }
    world.settle();
    const zxids = sink.events.map((event) => event.zxid);
    expect(zxids).toEqual(
      world.log
        .all()
        .slice(1)
        .map((txn) => txn.zxid),
    );
  });

  it("by many shares the scans", () => {
    const world = history(60);
    world.history.most = 10;
    const sinks = Array.from({ length: 100 }, (_, index) => watching(world, resumeAt(1 + (index % 40))).sink);
    world.settle();
    for (const [index, sink] of sinks.entries()) expect(sink.events).toHaveLength(60 - (index % 40));
    expect(world.history.reads).toBeLessThanOrEqual(8);
  });

  it("of a client that does not read holds nobody else up", () => {
    const world = history(40);
    world.history.most = 5;
    const slow = watching(world, resumeAt(1), { room: 3 });
    const fast = watching(world, resumeAt(1));
    world.settle();
    expect(fast.sink.events).toHaveLength(40);
    expect(slow.sink.events).toHaveLength(5);
    const { reads } = world.history;
    world.do(create("/more"));
    expect(world.history.reads).toBe(reads);
    drained(world, slow);
    world.settle();
    expect(slow.sink.events.map((event) => event.zxid)).toEqual(fast.sink.events.map((event) => event.zxid));
  });

  it("is refused for another ensemble and for the future", () => {
    const world = history(3);
    const other: WatchSpec = { ...resumeAt(1), start: { kind: "resume", clusterId: "f".repeat(32), zxid: 1, op: 0 } };
    expect(watching(world, other).watch).toMatchObject({ reason: "WRONG_CLUSTER" });
    expect(watching(world, resumeAt(5, 0)).watch).toMatchObject({ reason: "ZXID_NOT_REACHED" });
    expect(watching(world, watchOf("no path")).watch).toMatchObject({ reason: "BAD_ARGUMENTS" });
    expect(world.replica.watchCount).toBe(0);
  });

  it("ends where the log was truncated, and says where it begins; those that reach go on", () => {
    const world = history(20);
    world.history.oldestZxid = 10;
    const old = watching(world, resumeAt(5));
    const edge = watching(world, resumeAt(9));
    world.settle();
    const end = old.sink.entries.at(-1);
    expect(end).toMatchObject({
      kind: "watchEnded",
      reason: "LOG_TRUNCATED",
      refusal: { metadata: { oldest_zxid: "10" } },
    });
    expect(old.sink.events).toEqual([]);
    expect(edge.sink.events.map((event) => event.zxid)).toEqual(Array.from({ length: 12 }, (_, index) => 10 + index));
    expect(world.replica.watchCount).toBe(1);
  });

  it("on a stream: a watch that ended by itself leaves its id free", () => {
    const world = history(20);
    world.history.oldestZxid = 10;
    const { stream, sink } = world.connect();
    sink.take();
    stream.addWatch(1, 7, resumeAt(2));
    world.settle();
    stream.addWatch(2, 7, watchOf("/"));
    stream.cancelWatch(3, 7);
    stream.cancelWatch(4, 7);
    const zxid = world.replica.appliedZxid;
    expect(sink.take()).toEqual([
      `1 ok @${zxid}`,
      "watch ended LOG_TRUNCATED [7]",
      `2 ok @${zxid}`,
      `cursor [7] @${zxid}`,
      `3 ok @${zxid}`,
      `4 NO_WATCHER @${zxid}`,
    ]);
  });

  it("with an older cursor than a scan that is under way waits for the next one", () => {
    const world = history(20);
    const newer = watching(world, resumeAt(10));
    const older = watching(world, resumeAt(3));
    world.settle();
    const last = world.replica.appliedZxid;
    expect(newer.sink.events).toHaveLength(last - 10);
    expect(older.sink.events.map((event) => event.zxid)).toEqual(
      Array.from({ length: last - 3 }, (_, index) => 4 + index),
    );
  });

  it("of a removed watch tells nothing more", () => {
    const world = history(20);
    const { sink, watch } = watching(world, resumeAt(2));
    if ("reason" in watch) throw new Error(watch.reason);
    world.replica.removeWatch(watch);
    world.settle();
    world.do(create("/x"));
    expect(sink.take()).toEqual([]);
    expect(world.replica.watchCount).toBe(0);
  });
});

describe("progress marks", () => {
  it("come after ten quiet seconds, and name what was applied meanwhile", () => {
    const world = World.serving();
    const quiet = watching(world, watchOf("/a"));
    const busy = watching(world, watchOf("/b"));
    world.do(create("/b"));
    quiet.sink.take();
    busy.sink.take();
    for (let i = 0; i < 18; i++) {
      world.pass(1000);
      world.do(setData("/b"));
    }
    expect(quiet.sink.entries.filter((entry) => entry.kind === "cursor").length).toBeGreaterThanOrEqual(1);
    expect(quiet.sink.entries.at(-1)).toMatchObject({ kind: "cursor", synced: false });
    expect(busy.sink.entries.every((entry) => entry.kind === "event")).toBe(true);
    const last = quiet.sink.entries.at(-1)!;
    if (last.kind !== "cursor") throw new Error("no cursor");
    expect(last.zxid).toBeGreaterThan(2);
    const again = watching(world, {
      ...watchOf("/b"),
      start: { kind: "resume", clusterId, zxid: last.zxid, op: last.op },
    });
    world.settle();
    expect(again.sink.events[0]).toMatchObject({ zxid: last.zxid + 1 });
  });

  it("are not sent to a watch that still catches up", () => {
    const world = World.serving({ config: { sizes: { walkPiece: 1 } } });
    const watch = watching(world, watchOf("/", "subtree", { kind: "currentState" }), { room: 1 });
    world.pass(30_000);
    expect(watch.sink.take()).toEqual(["state / [1]"]);
  });
});

describe("permissions", () => {
  const bob = "digest:bob:B";
  const bobOnly = [{ permissions: 31, scheme: "digest", id: "bob:B" }];
  const open = [{ permissions: 31, scheme: "world", id: "anyone" }];

  it("hide state and events of what may not be read, and nothing else", () => {
    const world = World.serving();
    world.do(create("/open"));
    world.do(create("/hidden", { acl: bobOnly }), caller(0, bob));
    const spec = watchOf("/", "children", { kind: "currentState" });
    const anyone = watching(world, spec);
    const owner = watching(world, spec, { by: [bob] });
    expect(anyone.sink.take()).not.toContain("state /hidden [1]");
    expect(owner.sink.take()).toContain("state /hidden [1]");
    world.do(setData("/hidden"), caller(0, bob));
    world.do(setData("/open"));
    expect(anyone.sink.take()).toEqual(["dataChanged /open [1] @5"]);
    expect(owner.sink.take()).toEqual(["dataChanged /hidden [1] @4", "dataChanged /open [1] @5"]);
  });

  it("are those of the row and those of now: a grant does not open the past, a revocation closes it", () => {
    const world = World.serving({ config: { sizes: { recentTxns: 2 } } });
    world.do(create("/granted", { acl: bobOnly }), caller(0, bob));
    world.do(create("/revoked"));
    world.do(setAcl("/granted", open), caller(0, bob));
    world.do(setAcl("/revoked", bobOnly));
    world.do(setData("/granted"));
    world.do(setData("/revoked"), caller(0, bob));
    for (const path of ["/x", "/y", "/z"]) world.do(create(path));
    const anyone = watching(world, resumeAt(1));
    const owner = watching(world, resumeAt(1), { by: [bob] });
    world.settle();
    expect(anyone.sink.events.map((event) => event.path)).toEqual(["/granted", "/x", "/y", "/z"]);
    expect(owner.sink.events.map((event) => event.path)).toEqual([
      "/granted",
      "/revoked",
      "/granted",
      "/revoked",
      "/x",
      "/y",
      "/z",
    ]);
  });

  it("of a deletion are those the znode had last, once it is gone", () => {
    const world = World.serving();
    world.do(create("/a", { acl: bobOnly }), caller(0, bob));
    const anyone = watching(world, watchOf("/a"));
    const owner = watching(world, watchOf("/a"), { by: [bob] });
    world.do(del("/a"));
    expect([anyone.sink.events.length, owner.sink.events.length]).toEqual([0, 1]);
    world.do(create("/a"));
    world.do(del("/a"));
    expect([anyone.sink.events.length, owner.sink.events.length]).toEqual([2, 3]);
  });
});

describe("on a session's stream", () => {
  function connected(): { world: World; at: Connection } {
    const world = World.serving();
    const at = world.connect();
    at.sink.take();
    return { world, at };
  }

  it("the answer to addWatch comes before anything the watch tells", () => {
    const { world, at } = connected();
    at.stream.write(1, create("/a"), 1);
    at.stream.addWatch(2, 5, watchOf("/", "children", { kind: "currentState" }));
    world.settle();
    expect(at.sink.take()).toEqual([
      "1 ok @3",
      "2 ok @3",
      "state / [5]",
      "state /a [5]",
      "state /zookeeper [5]",
      "synced [5] @3",
    ]);
  });

  it("several watches share one event; cancelling one leaves the others", () => {
    const { world, at } = connected();
    at.stream.addWatch(1, 1, { ...watchOf("/a", "node"), includeData: false });
    at.stream.addWatch(2, 2, { ...watchOf("/", "children"), includeData: false });
    at.stream.addWatch(3, 3, watchOf("/"));
    at.sink.take();
    world.do(create("/a", { data: bytes("x") }));
    expect(at.sink.entries).toMatchObject([
      { kind: "event", ids: [1, 2], data: null },
      { kind: "event", ids: [3], data: bytes("x") },
    ]);
    at.stream.cancelWatch(4, 1);
    at.sink.take();
    world.do(setData("/a"));
    expect(at.sink.take()).toEqual(["dataChanged /a [2] @4", "dataChanged /a [3] @4"]);
  });

  it("a watch id is used once at a time, and positive", () => {
    const { world, at } = connected();
    at.stream.addWatch(1, 1, watchOf("/"));
    at.stream.addWatch(2, 1, watchOf("/"));
    at.stream.addWatch(3, 0, watchOf("/"));
    at.stream.read(4, getData("/", 1), anyAge);
    expect(at.sink.answers.map((answer) => answer.reason)).toEqual(["", ...Array<string>(3).fill("BAD_ARGUMENTS")]);
    expect(world.replica.watchCount).toBe(1);
  });

  it("an id that is cancelled behind a write is free for what comes after it", () => {
    const { world, at } = connected();
    at.stream.addWatch(1, 7, watchOf("/"));
    at.stream.write(2, create("/a"), 1);
    at.stream.cancelWatch(3, 7);
    at.stream.read(4, getData("/a", 7), anyAge);
    world.settle();
    expect(at.sink.answers.map((answer) => answer.reason)).toEqual(["", "", "", ""]);
    world.do(setData("/a"));
    expect(at.sink.take().at(-1)).toBe("dataChanged /a [7] @4");
  });

  it("watches end with their stream", () => {
    const { world, at } = connected();
    at.stream.addWatch(1, 1, watchOf("/"));
    at.stream.read(2, getData("/", 2), anyAge);
    expect(world.replica.watchCount).toBe(2);
    at.stream.detach();
    expect(world.replica.watchCount).toBe(0);
    at.sink.take();
    world.do(setData("/"));
    expect(at.sink.take()).toEqual([]);
  });
});

describe("the model of these tests", () => {
  it("covers what a scope says", () => {
    const world = World.serving();
    for (const path of ["/a", "/a/x", "/a/x/y"]) world.do(create(path));
    const at = { zxid: 4, op: 0 };
    const of = (scope: Scope) => [...modelAt(world.log.all(), at, { scope, path: "/a" }).keys()];
    expect([of("node"), of("children"), of("subtree")]).toEqual([["/a"], ["/a", "/a/x"], ["/a", "/a/x", "/a/x/y"]]);
  });
});
