/** Sessions as the leader cares for them: opening, moving, expiring, closing. */
import { describe, expect, it } from "vitest";
import { anyAge, bytes, getData, tickMs, World, type OpenedSession } from "../../test/support/replica-world.ts";
import { create, setData } from "../../test/support/tree-leader.ts";
import { ExpiryClock, ExpiryQueue } from "./expiry.ts";
import { waiterOf } from "./waiter.ts";

const ephemeral = (path: string) => create(path, { mode: 2 });
const bucketMs = 250;

function isAlive(world: World, session: OpenedSession): boolean {
  return world.replica.sessions.get(session.id) !== undefined;
}

describe("opening", () => {
  it("is idempotent by the client's key: in flight, committed, after a crash", () => {
    const world = World.serving();
    const same = { key: "k", secret: "s", timeoutMs: 5000, identities: ["digest:bob:B"] };
    const sinks = [world.sink(), world.sink(), world.sink(), world.sink()];
    world.askToOpen(same, sinks[0]!);
    world.askToOpen(same, sinks[1]!);
    world.settle();
    world.askToOpen(same, sinks[2]!);
    world.crash();
    world.settle();
    world.askToOpen(same, sinks[3]!);
    world.settle();
    expect(sinks.map((sink) => sink.answers.map(({ what, zxid }) => `${what} ${zxid}`))).toEqual(
      sinks.map(() => ["committed 2"]),
    );
    expect(world.replica.sessions.count).toBe(1);
  });

  it("with a key in use and another secret is refused, in flight and later", () => {
    const world = World.serving();
    const [first, second, third] = [world.sink(), world.sink(), world.sink()];
    world.askToOpen({ key: "k", secret: "s" }, first);
    world.askToOpen({ key: "k", secret: "t" }, second);
    world.settle();
    world.askToOpen({ key: "k", secret: "t" }, third);
    expect([second, third].map((sink) => sink.answers[0]?.reason)).toEqual(["BAD_ARGUMENTS", "BAD_ARGUMENTS"]);
    expect(first.answers[0]?.what).toBe("committed");
  });

  it("of a session whose end is under way is SESSION_EXPIRED; of one that ended, a new session", () => {
    const world = World.serving();
    const session = world.open({ key: "k", secret: "s" });
    world.replica.close(world.live(session), waiterOf(world.sink(), 1));
    const late = world.sink();
    world.askToOpen({ key: "k", secret: "s" }, late);
    expect(late.answers[0]?.reason).toBe("SESSION_EXPIRED");
    world.settle();
    expect(world.open({ key: "k", secret: "s" }).id).toBeGreaterThan(session.id);
  });

  it("is refused when the disk is low", () => {
    const world = World.serving();
    world.replica.setDiskLow(true);
    expect(() => world.open()).toThrow("DISK_LOW");
  });
});

describe("attaching", () => {
  it("moves the session: the older stream ends, and nothing of it is heard any more", () => {
    const world = World.serving();
    const { session, ...older } = world.connect();
    older.stream.write(1, create("/a"), 1);
    const newer = world.attach(session);
    older.stream.write(2, create("/b"), 2);
    older.stream.read(3, getData("/"), anyAge);
    older.stream.heartbeat(4);
    newer.stream.write(5, create("/c"), 2);
    world.settle();
    expect(older.sink.take()).toEqual(["attached 0", "ended SESSION_MOVED"]);
    expect(newer.sink.take()).toEqual(["attached 0", "5 ok @4"]);
    expect(world.replica.tree.find("/b")).toBe(-1);
    expect(world.replica.attachedCount).toBe(1);
    older.stream.detach();
    expect(world.replica.attachedCount).toBe(1);
  });

  it("needs the secret", () => {
    const world = World.serving();
    const session = world.open();
    for (const secret of ["", "wrong", `${session.secret}x`, session.secret.slice(1)]) {
      expect(world.authenticate(session.id, secret)).toMatchObject({ reason: "SESSION_EXPIRED" });
    }
    expect(world.authenticate(session.id + 1, session.secret)).toMatchObject({ reason: "SESSION_EXPIRED" });
  });

  it("adds the address of the connection to the identities of the session", () => {
    const world = World.serving();
    const session = world.open({ identities: ["digest:bob:B"] });
    const { stream, sink } = world.attach(session, "ip:10.0.0.1");
    stream.read(1, { kind: "identities" }, anyAge);
    expect(sink.answers[0]!.identities).toEqual([
      { scheme: "digest", id: "bob:B" },
      { scheme: "ip", id: "10.0.0.1" },
    ]);
  });
});

describe("expiry", () => {
  it("comes within the timeout, a bucket and three ticks after the last contact, and never before the timeout", () => {
    for (const contact of [0, 13, 130, 249, 250, 777]) {
      const world = World.serving();
      world.pass(contact);
      const session = world.open({ timeoutMs: 1000 });
      let silence = 0;
      while (isAlive(world, session)) {
        world.tick();
        world.settle();
        silence += tickMs;
        if (silence > 5000) break;
      }
      expect(silence).toBeGreaterThanOrEqual(1000);
      expect(silence).toBeLessThanOrEqual(1000 + bucketMs + 3 * tickMs);
    }
  });

  it("is not a moment early for a touch just before a tick, be the tick late", () => {
    for (const late of [0, 30, 49]) {
      // Buckets would hide it at most places.
      for (let before = 0; before < bucketMs; before += tickMs) {
        const world = World.serving();
        world.tick();
        const session = world.open({ timeoutMs: 1000 });
        world.pass(before);
        // The session is heard of when up to two ticks have passed, and then the tick comes.
        const heard = world.monotonicMs + tickMs + late;
        world.live(session);
        world.tick(tickMs + late);
        while (isAlive(world, session)) {
          world.tick(10);
          world.settle();
        }
        expect(world.monotonicMs - heard).toBeGreaterThanOrEqual(1000);
      }
    }
  });

  it("does not count a pause of the process, or a jump of the clock", () => {
    const world = World.serving();
    const session = world.open({ timeoutMs: 1000 });
    world.tick(3_600_000);
    world.settle();
    expect(isAlive(world, session)).toBe(true);
    world.monotonicMs -= 10_000;
    world.tick(0);
    world.pass(700);
    world.settle();
    expect(isAlive(world, session)).toBe(true);
    world.pass(1000);
    world.settle();
    expect(isAlive(world, session)).toBe(false);
  });

  it("is put off by every kind of contact", () => {
    const contacts: ((world: World, session: OpenedSession) => void)[] = [
      (world, session) => void world.live(session),
      (world, session) => world.attach(session).stream.heartbeat(1),
      (world, session) => world.askToOpen({ key: "k", secret: session.secret }, world.sink()),
      (world, session) => void world.unaryWrite(setData("/"), { session }),
    ];
    for (const contact of contacts) {
      const world = World.serving();
      const session = world.open({ key: "k", timeoutMs: 1000 });
      for (let i = 0; i < 5; i++) {
        world.pass(900);
        contact(world, session);
        world.settle();
        expect(isAlive(world, session)).toBe(true);
      }
      world.pass(1500);
      world.settle();
      expect(isAlive(world, session)).toBe(false);
    }
  });

  it("begins anew with a new leader", () => {
    const world = World.serving();
    const session = world.open({ timeoutMs: 1000 });
    world.pass(900);
    world.crash();
    world.settle();
    world.pass(1000);
    world.settle();
    expect(isAlive(world, session)).toBe(true);
    world.pass(500);
    world.settle();
    expect(isAlive(world, session)).toBe(false);
  });

  it("does not happen while nothing becomes durable: the leader only proposes it", () => {
    const world = World.serving();
    const { session, ...at } = world.connect({ timeoutMs: 1000 });
    at.sink.take();
    world.pass(2000);
    expect(isAlive(world, session)).toBe(true);
    expect(at.sink.take()).toEqual([]);
    world.settle();
    expect(at.sink.take()).toEqual(["ended SESSION_EXPIRED"]);
  });

  it("of very many sessions at once is spread over buckets, and reaches all", () => {
    const world = World.serving();
    for (let i = 0; i < 2500; i++) world.askToOpen({ key: `k${i}`, secret: "s", timeoutMs: 1000 }, world.sink());
    world.settle();
    world.pass(1500);
    world.replica.flush();
    const proposed = world.replica.lastLoggedZxid - 2501;
    expect(proposed).toBeGreaterThan(0);
    expect(proposed % 1000).toBe(0);
    world.pass(1500);
    world.settle();
    expect(world.replica.sessions.count).toBe(0);
  });
});

describe("the end of a session", () => {
  it("removes its ephemerals in one transaction, those in flight included, and nothing of it follows", () => {
    const world = World.serving();
    const { session, ...at } = world.connect();
    const other = world.connect();
    at.stream.write(1, ephemeral("/a"), 1);
    world.settle();
    at.sink.take();
    at.stream.write(2, ephemeral("/b"), 2);
    at.stream.write(3, create("/stays"), 3);
    other.stream.write(4, ephemeral("/other"), 1);
    at.stream.closeSession(5);
    at.stream.write(6, ephemeral("/c"), 4);
    const unary = world.authenticate(session.id, session.secret);
    expect(unary).toMatchObject({ reason: "SESSION_EXPIRED" });
    at.stream.closeSession(7);
    world.settle();
    const end = world.log.all().find((txn) => txn.ops[0]!.kind === 9)!;
    expect(end.ops.slice(1).map((op) => [op.kind, op.path, op.cause])).toEqual([
      [3, "/a", 2],
      [3, "/b", 2],
    ]);
    const lines = at.sink.take();
    expect(lines.slice(0, 3)).toEqual(["2 ok @5", "3 ok @6", `5 ok @${end.zxid}`]);
    expect(lines.at(-1)).toBe("ended closed");
    expect(["/a", "/b", "/c"].map((path) => world.replica.tree.find(path))).toEqual([-1, -1, -1]);
    expect(["/stays", "/other"].every((path) => world.replica.tree.find(path) > 0)).toBe(true);
    expect(
      world.log
        .all()
        .filter((txn) => txn.session === session.id)
        .at(-1),
    ).toEqual(end);
  });

  it("refuses early writes that wait for a gap", () => {
    const world = World.serving();
    const { session, ...at } = world.connect();
    const early = world.unaryWrite(create("/b"), { session, seq: 2 });
    at.stream.closeSession(1);
    expect(early.answers.map((answer) => answer.reason)).toEqual(["SESSION_EXPIRED"]);
    world.pass(6000);
    world.settle();
    expect(early.answers).toHaveLength(1);
  });

  it("by expiry names its cause, and ends the stream", () => {
    const world = World.serving();
    const { sink, stream } = world.connect({ timeoutMs: 1000 });
    stream.write(1, ephemeral("/a"), 1);
    world.settle();
    world.pass(2000);
    world.settle();
    expect(
      world.log
        .all()
        .at(-1)!
        .ops.map((op) => op.cause),
    ).toEqual([3, 3]);
    expect(sink.take().at(-1)).toBe("ended SESSION_EXPIRED");
  });

  it("is not taken back by contact: a heartbeat promises nothing any more", () => {
    const world = World.serving();
    const { session, stream, sink } = world.connect({ timeoutMs: 1000 });
    stream.heartbeat(1);
    expect(sink.entries.at(-1)).toMatchObject({ kind: "heartbeat", remainingMs: 1000 });
    world.pass(1500);
    stream.heartbeat(2);
    expect(sink.entries.at(-1)).toMatchObject({ kind: "heartbeat", remainingMs: 0 });
    world.settle();
    expect(isAlive(world, session)).toBe(false);
  });

  it("that is under way in a crash happens after it, or not at all", () => {
    for (const synced of [true, false]) {
      const world = World.serving();
      const { session, ...at } = world.connect();
      at.stream.write(1, ephemeral("/a"), 1);
      world.settle();
      at.stream.closeSession(2);
      world.replica.flush();
      if (synced) world.log.sync();
      world.crash();
      world.settle();
      expect(isAlive(world, session)).toBe(!synced);
      expect(world.replica.tree.find("/a") > 0).toBe(!synced);
    }
  });
});

describe("time left", () => {
  it("is a full timeout from each contact, and never more than what expiry keeps", () => {
    const world = World.serving();
    const { session, stream, sink } = world.connect({ timeoutMs: 1000 });
    expect(sink.entries[0]).toMatchObject({ kind: "attached", remainingMs: 1000 });
    world.pass(400);
    const live = world.live(session);
    expect(world.replica.provenMs(live)).toBe(1000);
    world.pass(300);
    expect(world.replica.provenMs(live)).toBe(700);
    stream.heartbeat(9);
    expect(sink.entries.at(-1)).toMatchObject({ kind: "heartbeat", id: 9, remainingMs: 1000 });
  });
});

describe("the expiry clock", () => {
  it("counts from its first reading, no step above two ticks, and never back", () => {
    const clock = new ExpiryClock(50);
    const readings = [5000, 5050, 5150, 9000, 8000, 8050].map((at) => {
      clock.advance(at);
      return clock.now;
    });
    expect(readings).toEqual([0, 50, 150, 250, 250, 300]);
  });
});

describe("the expiry queue", () => {
  it("gives up each session once, when its time has passed, whenever it was touched", () => {
    const queue = new ExpiryQueue<{ touchedAt: number; timeoutMs: number }>(100);
    const quiet = { touchedAt: 0, timeoutMs: 1000 };
    const busy = { touchedAt: 0, timeoutMs: 1000 };
    queue.add(quiet);
    queue.add(busy);
    const given: [number, unknown][] = [];
    for (let now = 0; now <= 5000; now += 50) {
      if (now <= 2000) busy.touchedAt = now;
      for (const session of queue.due(now)) given.push([now, session]);
    }
    expect(given.map(([, session]) => session)).toEqual([quiet, busy]);
    expect(given.map(([now]) => now)).toEqual([1250, 3250]);
  });
});

describe("data of an ephemeral", () => {
  it("may be set by others; its owner's end removes it all the same", () => {
    const world = World.serving();
    const { stream } = world.connect();
    stream.write(1, ephemeral("/a"), 1);
    world.settle();
    world.unaryWrite(setData("/a", bytes("x")));
    stream.closeSession(2);
    world.settle();
    expect(world.replica.tree.find("/a")).toBe(-1);
  });
});
