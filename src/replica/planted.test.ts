/** Proof that the checkers can fail: bugs planted in the replica, each found by the checker that the real tests use. */
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  answeredInOrder,
  answersAreDurable,
  eventsBeforeAnswers,
  happenedOnce,
  nothingLost,
  oneShotsFire,
  readsAreExact,
  sumIsExact,
} from "../../test/support/replica-checks.ts";
import { anyAge, bytes, clusterId, getData, watchOf, World, type FakeLog } from "../../test/support/replica-world.ts";
import { caller, create, setData } from "../../test/support/tree-leader.ts";
import { Session } from "../sessions/session-table.ts";
import { Tree } from "../tree/tree.ts";
import { WatchTable } from "../watches/watch-table.ts";
import { ExpiryQueue } from "./expiry.ts";
import { RecentTxns } from "./recent-txns.ts";
import { Replica } from "./replica.ts";
import { SessionStream } from "./session-stream.ts";
import { WatchFeeds, wholeTxn } from "./watch-feeds.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** A short life in which everything that the checkers look at happens. */
function live(world: World) {
  const { session, sink, stream } = world.connect({ timeoutMs: 120_000 });
  const from = world.replica.appliedZxid;
  const sent: number[] = [];
  const call = () => {
    const next = world.nextCall();
    sent.push(next);
    return next;
  };
  const first = (run: (call: number) => void) => {
    const next = call();
    run(next);
    return next;
  };
  stream.addWatch(call(), 100, watchOf("/"));
  const wrote = [first((at) => stream.write(at, create("/a", { data: bytes("1") }), 1))];
  const left = first((at) => stream.read(at, getData("/a", 1), anyAge));
  wrote.push(first((at) => stream.write(at, create("/a", { data: bytes("1") }), 1)));
  const read = first((at) => stream.read(at, getData("/a"), anyAge));
  world.settle();
  stream.write(call(), setData("/a", bytes("2")), 2);
  const again = first((at) => stream.read(at, getData("/a"), anyAge));
  world.settle();
  world.do(setData("/a", bytes("3")));
  stream.read(call(), getData("/a"), anyAge);
  wrote.push(first((at) => stream.write(at, create("/a", { data: bytes("1") }), 1)));
  world.settle();
  const txns = world.log.all();
  const answers = sink.answers.filter((answer) => wrote.includes(answer.call));
  const { entries } = sink;
  return {
    durable: answersAreDurable(world.trace),
    lost: nothingLost(world.trace, world.log),
    order: answeredInOrder(sent, entries),
    events: eventsBeforeAnswers(100, from, entries, txns),
    reads: readsAreExact(
      [read, again].map((each) => ({ call: each, path: "/a" })),
      entries,
      txns,
    ),
    oneShots: oneShotsFire([{ call: left, id: 1, kind: "data", path: "/a" }], entries, txns, world.replica.appliedZxid),
    once: happenedOnce([{ session: session.id, seq: 1, path: "/a", answers }], txns),
  };
}

const clean = { durable: [], lost: [], order: [], events: [], reads: [], oneShots: [], once: [] };

describe("without a planted bug", () => {
  it("no checker complains", () => {
    expect(live(World.serving())).toEqual(clean);
  });
});

/** Methods of a class by name, the private ones too. */
function methodsOf(prototype: object): Record<string, (...args: never[]) => unknown> {
  return prototype as Record<string, (...args: never[]) => unknown>;
}

describe("a planted bug is found:", () => {
  it("answers before `persisted` proves the write", () => {
    const told: { log?: FakeLog } = {};
    class Hasty extends Replica {
      override flush(): void {
        super.flush();
        if (this.serving && told.log !== undefined) super.persisted(told.log.lastWrite);
      }
    }
    const world = World.serving({ make: (...made) => new Hasty(...made) });
    told.log = world.log;
    const faults = live(world);
    expect(faults.durable.length).toBeGreaterThan(0);
    // And a crash right then loses what was answered.
    world.unaryWrite(create("/lost"));
    world.replica.flush();
    world.crash();
    world.settle();
    expect(nothingLost(world.trace, world.log).length).toBeGreaterThan(0);
  });

  it("answers before the events", () => {
    const later: (() => void)[] = [];
    const applied = methodsOf(WatchFeeds.prototype)["applied"]!;
    vi.spyOn(methodsOf(WatchFeeds.prototype), "applied").mockImplementation(function (this: unknown, ...args) {
      later.push(() => applied.apply(this, args));
    });
    class Late extends Replica {
      override persisted(write: number): void {
        super.persisted(write);
        for (const fire of later.splice(0)) fire();
      }
    }
    const faults = live(World.serving({ make: (...made) => new Late(...made) }));
    expect(faults.events.length).toBeGreaterThan(0);
    expect(faults.oneShots.length).toBeGreaterThan(0);
    expect(faults.durable).toEqual([]);
  });

  it("a one-shot watch stays after it fired", () => {
    const takes = methodsOf(WatchTable.prototype);
    const take = takes["takeOneShots"]!;
    vi.spyOn(takes, "takeOneShots").mockImplementation(function (this: unknown, ...args) {
      const taken = take.apply(this, args) as Parameters<WatchTable["add"]>;
      for (const watch of taken) (this as WatchTable).add(watch);
      return taken;
    });
    expect(live(World.serving()).oneShots).toContainEqual(expect.stringContaining("fired 2 times"));
  });

  it("a one-shot watch never fires", () => {
    vi.spyOn(methodsOf(WatchTable.prototype), "takeOneShots").mockImplementation(() => []);
    expect(live(World.serving()).oneShots.length).toBeGreaterThan(0);
  });

  it("an outcome is not recorded", () => {
    vi.spyOn(Session.prototype, "record").mockImplementation(function (this: Session, outcome) {
      this.lastSeq = outcome.seq;
    });
    expect(live(World.serving()).once.length).toBeGreaterThan(0);
  });

  it("a used seq runs again", () => {
    class Forgetful extends Replica {
      override submit(write: Parameters<Replica["submit"]>[0]): void {
        super.submit({ ...write, seq: 0 });
      }
    }
    expect(live(World.serving({ make: (...made) => new Forgetful(...made) })).once.length).toBeGreaterThan(0);
  });

  it("a read overtakes the writes before it", () => {
    vi.spyOn(methodsOf(SessionStream.prototype), "read").mockImplementation(function (this: unknown, ...args) {
      const [call, request] = args as unknown as [number, unknown];
      (this as { readNow(call: number, request: unknown): void }).readNow(call, request);
    });
    expect(live(World.serving()).order.length).toBeGreaterThan(0);
  });

  it("a read shows something else than the tree as of its transaction", () => {
    vi.spyOn(Tree.prototype, "data").mockImplementation(() => bytes("stale"));
    expect(live(World.serving()).reads.length).toBeGreaterThan(0);
  });

  it("a session expires by the time of the tick before its last contact", () => {
    const early = () => {
      const world = World.serving();
      world.tick();
      const session = world.open({ timeoutMs: 1000 });
      // Such that the timeout ends with a bucket.
      world.pass(200);
      const heard = world.monotonicMs + 49;
      world.live(session);
      while (world.replica.sessions.get(session.id) !== undefined) {
        world.tick();
        world.settle();
      }
      return world.monotonicMs - heard < 1000;
    };
    expect(early()).toBe(false);
    vi.spyOn(methodsOf(ExpiryQueue.prototype), "deadline").mockImplementation((...args) => {
      const session = args[0] as unknown as { touchedAt: number; timeoutMs: number };
      return session.touchedAt + session.timeoutMs;
    });
    expect(early()).toBe(true);
  });

  function walked(): string[] {
    const world = World.serving({ config: { sizes: { walkPiece: 1 } } });
    for (const path of ["/a", "/b"]) world.do(create(path));
    const sink = world.sink();
    sink.capacity = 2;
    const spec = watchOf("/", "subtree", { kind: "currentState" });
    world.replica.addWatch({ sink, id: 1, spec, caller: caller(0) });
    for (const path of ["/a", "/b"]) world.do(setData(path, bytes("x")));
    sink.capacity = Infinity;
    world.replica.drained(sink);
    return sumIsExact({ id: 1, scope: "subtree", path: "/" }, "currentState", sink.entries, world.log.all());
  }

  it("a walk does not admit events behind it, or admits those ahead of it", () => {
    expect(walked()).toEqual([]);
    const walks = methodsOf(WatchFeeds.prototype);
    const walk = walks["walk"]!;
    for (const admits of [false, true]) {
      const spy = vi.spyOn(walks, "walk").mockImplementation(function (this: unknown, ...args) {
        (args[0] as unknown as { watch: { admits: () => boolean } }).watch.admits = () => admits;
        return walk.apply(this, args);
      });
      expect(walked().length).toBeGreaterThan(0);
      spy.mockRestore();
    }
  });

  function resumed(): string[] {
    const world = World.serving({ config: { sizes: { recentTxns: 3 } } });
    for (let i = 0; i < 8; i++) world.do(create(`/n${i}`));
    const sink = world.sink();
    const spec = watchOf("/", "subtree", { kind: "resume", clusterId, zxid: 2, op: wholeTxn });
    world.replica.addWatch({ sink, id: 1, spec, caller: caller(0) });
    world.settle();
    return sumIsExact({ id: 1, scope: "subtree", path: "/" }, { zxid: 2, op: wholeTxn }, sink.entries, world.log.all());
  }

  it("a resumed watch skips what the ring no longer holds", () => {
    expect(resumed()).toEqual([]);
    vi.spyOn(RecentTxns.prototype, "reachesBackTo").mockImplementation(() => true);
    expect(resumed().length).toBeGreaterThan(0);
  });

  it("a resumed watch is told twice", () => {
    const told = methodsOf(WatchTable.prototype);
    const fire = told["fire"]!;
    vi.spyOn(told, "fire").mockImplementation(function (this: unknown, ...args) {
      fire.apply(this, args);
      fire.apply(this, args);
    });
    expect(resumed().length).toBeGreaterThan(0);
  });
});
