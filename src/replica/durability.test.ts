/** What is durable when, and what survives a crash. Random histories with crashes: replica-history.test.ts. */
import { describe, expect, it } from "vitest";
import { answersAreDurable, nothingLost } from "../../test/support/replica-checks.ts";
import {
  anyAge,
  bytes,
  exists,
  getData,
  linearizable,
  tickMs,
  watchOf,
  World,
} from "../../test/support/replica-world.ts";
import { create, del, setData } from "../../test/support/tree-leader.ts";
import { decodeTxn } from "./txn-codec.ts";
import { ByteReader } from "../base/bytes.ts";

describe("a leader comes into office", () => {
  it("step by step, each after the one before is durable", () => {
    const world = new World();
    expect(world.log.waiting).toEqual(["form"]);
    world.persist();
    expect(world.log.waiting).toEqual(["accept 1"]);
    world.persist();
    expect(world.log.waiting).toEqual(["establish 1"]);
    world.persist();
    world.replica.flush();
    expect(world.log.waiting).toEqual(["append 1-1"]);
    expect(world.serving).toBe(false);
    world.persist();
    expect(world.serving).toBe(true);
    expect(world.replica.appliedZxid).toBe(1);
  });

  it("goes no further while nothing is durable, however much time passes", () => {
    const world = new World();
    world.pass(60_000);
    world.replica.flush();
    expect(world.log.waiting).toEqual(["form"]);
  });

  it.each([0, 1, 2, 3, 4])("with a new epoch, though the last one died after %i durable steps", (steps) => {
    const world = new World();
    for (let step = 0; step < steps; step++) world.persist(1);
    const { acceptedEpoch } = world.log;
    world.crash();
    world.settle();
    expect(world.replica.epoch).toBe(acceptedEpoch + 1);
    expect(world.log.currentEpoch).toBe(acceptedEpoch + 1);
    world.do(create("/a"));
    expect(world.log.all().map((txn) => txn.zxid)).toEqual(world.log.all().map((_, index) => index + 1));
  });

  it("answers NO_LEADER before, to reads and writes alike", () => {
    const world = new World();
    for (let step = 0; step < 3; step++) world.persist();
    const sink = world.unaryWrite(create("/a"));
    world.askToOpen({ key: "k", secret: "s" }, sink);
    for (const freshness of [anyAge, linearizable]) {
      const caller = { session: 0, identities: [], who: "" };
      world.replica.readUnary({ sink, call: 9, request: getData("/"), caller, freshness });
    }
    expect(sink.answers.map((answer) => answer.reason)).toEqual(Array(4).fill("NO_LEADER"));
    expect(world.authenticate(1, "s")).toMatchObject({ reason: "NO_LEADER" });
    world.replica.flush();
    expect(world.log.waiting).toEqual(["append 1-1"]);
  });

  it("applies the pending tail when it is established and not before", () => {
    const world = World.serving();
    world.unaryWrite(create("/a"));
    world.replica.flush();
    world.log.sync();
    world.crash();
    expect(world.log.recovered().durable.tail).toBeDefined();
    world.persist(1);
    expect(world.replica.appliedZxid).toBe(1);
    expect(world.replica.tree.find("/a")).toBe(-1);
    world.persist(1);
    expect(world.replica.appliedZxid).toBe(2);
    expect(world.replica.tree.find("/a")).toBeGreaterThan(0);
    expect(world.serving).toBe(true);
  });

  it("takes the founding from the tail, not from its configuration", () => {
    const world = new World();
    for (let step = 0; step < 3; step++) world.persist();
    world.replica.flush();
    world.log.sync();
    const newClusterId = "f".repeat(32);
    const peer = { self: 1, members: [{ id: 1, voter: true }], newClusterId, tickMs };
    world.options.config = { peer };
    world.crash();
    world.settle();
    expect(world.replica.clusterId).not.toBe(newClusterId);
    expect(world.log.all().filter((txn) => txn.ops[0]!.kind === 1)).toHaveLength(1);
  });

  it("numbers znodes and ACLs after those of the tail", () => {
    const world = World.serving();
    const acl = [{ permissions: 31, scheme: "digest", id: "bob:B" }];
    world.unaryWrite(create("/a", { acl }));
    world.replica.flush();
    world.log.sync();
    world.crash();
    world.settle();
    world.do(create("/b", { acl: [{ permissions: 1, scheme: "world", id: "anyone" }, ...acl] }));
    world.do(create("/c", { acl }));
    const ops = world.log
      .all()
      .slice(1)
      .map((txn) => txn.ops[0]!);
    expect(new Set(ops.map((op) => op.znode)).size).toBe(3);
    expect(ops[1]!.acl).not.toBe(ops[0]!.acl);
    expect(ops[2]!.acl).toBe(ops[0]!.acl);
  });
});

describe("an answer", () => {
  it("comes only when the transaction is durable, and the replica knows", () => {
    const world = World.serving();
    const { stream, sink } = world.connect();
    sink.take();
    stream.addWatch(1, 1, watchOf("/"));
    stream.write(2, create("/a", { data: bytes("x") }), 1);
    stream.read(3, getData("/a"), anyAge);
    const unary = world.unaryWrite(create("/b"));
    expect(sink.take()).toEqual(["1 ok @2", "cursor [1] @2"]);
    world.replica.flush();
    world.log.sync();
    expect(sink.take()).toEqual([]);
    const caller = { session: 0, identities: [], who: "" };
    world.replica.readUnary({ sink: unary, call: 4, request: exists("/a"), caller, freshness: linearizable });
    expect(unary.answers.map((answer) => answer.stat)).toEqual([null]);
    world.tell();
    expect(sink.take()).toEqual(["created /a [1] @3", "2 ok @3", "3 ok @3", "created /b [1] @4"]);
    expect(answersAreDurable(world.trace)).toEqual([]);
  });

  it("that refuses because of the state waits for its transaction too", () => {
    const world = World.serving();
    const sink = world.unaryWrite(del("/missing"));
    world.replica.flush();
    expect(sink.take()).toEqual([]);
    world.settle();
    expect(sink.answers.map((answer) => answer.reason)).toEqual(["NO_NODE"]);
    expect(world.log.txn(2).ops[0]!.kind).toBe(7);
  });

  it("is given for no more than what a late `persisted` proves", () => {
    const world = World.serving();
    const first = world.unaryWrite(create("/a"));
    world.replica.flush();
    const second = world.unaryWrite(create("/b"));
    world.replica.flush();
    world.persist(1);
    expect([first.answers.length, second.answers.length]).toEqual([1, 0]);
    world.tell();
    expect(second.answers).toHaveLength(0);
    world.persist(1);
    expect(second.answers).toHaveLength(1);
  });

  it("is not lost in a crash after any durable step", () => {
    for (let steps = 0; steps < 12; steps++) {
      const world = World.serving();
      const sink = world.sink();
      for (let i = 0; i < 5; i++) {
        world.unaryWrite(i === 2 ? del("/missing") : create(`/n${i}`), { sink });
        world.replica.flush();
        if (i % 2 === 1) world.tick();
      }
      for (let step = 0; step < steps; step++) world.persist(1);
      world.crash();
      world.settle();
      expect(nothingLost(world.trace, world.log)).toEqual([]);
      expect(world.replica.digest()).toBe(digestOfLog(world));
    }
  });
});

describe("the commit point", () => {
  it("is stored with the next batch, or by a step of its own when it is quiet", () => {
    const world = World.serving();
    world.tick();
    expect(world.log.waiting).toEqual(["commit 1"]);
    world.settle();
    world.tick();
    expect(world.log.waiting).toEqual([]);
    world.unaryWrite(create("/a"));
    world.tick();
    expect(world.log.waiting).toEqual(["append 2-2"]);
    world.tick();
    expect(world.log.waiting).toEqual(["append 2-2"]);
    world.persist();
    expect(world.log.committed.zxid).toBe(1);
    world.unaryWrite(create("/b"));
    world.replica.flush();
    world.persist();
    expect(world.log.committed.zxid).toBe(2);
    world.tick();
    world.persist();
    expect(world.log.committed.zxid).toBe(3);
  });

  it("is stored after a restart that brought nothing new", () => {
    const world = World.serving();
    world.do(create("/a"));
    world.crash();
    world.settle();
    world.tick();
    world.persist();
    expect(world.log.committed.zxid).toBe(2);
  });
});

describe("time", () => {
  it("never goes back, within a life and across a restart", () => {
    const world = World.serving();
    world.do(create("/a"));
    world.wallMs -= 3_600_000;
    world.replica.setTime(world.wallMs);
    world.do(create("/b"));
    world.crash();
    world.settle();
    world.do(setData("/b"));
    const times = world.log.all().map((txn) => txn.time);
    expect(times.toSorted((a, b) => a - b)).toEqual(times);
    expect(times.at(-1)).toBe(times[1]);
  });
});

describe("a stop", () => {
  it("answers the writes under way, refuses what follows, and then ends the streams", () => {
    const world = World.serving();
    const { stream, sink } = world.connect();
    stream.write(1, create("/a"), 1);
    sink.take();
    let stopped = 0;
    world.replica.stop({ reason: "SHUTTING_DOWN", message: "", metadata: {} }, () => stopped++);
    stream.read(2, getData("/a"), anyAge);
    stream.write(3, create("/b"), 2);
    const late = world.unaryWrite(create("/c"));
    expect(late.answers.map((answer) => answer.reason)).toEqual(["SHUTTING_DOWN"]);
    expect([stopped, sink.take()]).toEqual([0, []]);
    world.settle();
    expect(stopped).toBe(1);
    expect(sink.take()).toEqual(["1 ok @3", "2 SHUTTING_DOWN @3", "3 SHUTTING_DOWN @2", "ended SHUTTING_DOWN"]);
  });

  it("answers a read on a stream that waits for nothing else, while another's write is under way", () => {
    const world = World.serving();
    const { stream, sink } = world.connect();
    world.unaryWrite(create("/a"));
    sink.take();
    world.replica.stop({ reason: "SHUTTING_DOWN", message: "", metadata: {} }, () => undefined);
    stream.read(1, getData("/"), anyAge);
    expect(sink.take()).toEqual(["1 SHUTTING_DOWN @2"]);
  });
});

describe("whatever a client sends", () => {
  it.each(["x".repeat(1100), `/${"a".repeat(1022)}\u{1f600}`, "/\ud800", "\udc00/a"])(
    "can be read back from the log: path %#",
    (path) => {
      const world = World.serving();
      const { stream, sink } = world.connect();
      stream.write(1, create(path), 1);
      stream.write(2, setData(path, bytes("x")), 2);
      world.settle();
      expect(sink.answers.map((answer) => answer.reason)).toEqual(["BAD_ARGUMENTS", "BAD_ARGUMENTS"]);
      for (const encoded of world.log.txns) expect(() => decodeTxn(new ByteReader(encoded))).not.toThrow();
      world.crash();
      world.settle();
      expect(world.replica.sessions.get(2)!.lastSeq).toBe(2);
    },
  );
});

function digestOfLog(world: World): number {
  world.crash();
  world.settle();
  return world.replica.digest();
}
