/** One space of seqs for each session: order, retries, gaps, acknowledgements, and what survives. */
import { describe, expect, it } from "vitest";
import { happenedOnce } from "../../test/support/replica-checks.ts";
import { bytes, World, type Connection, type OpenedSession } from "../../test/support/replica-world.ts";
import { create, del, setData } from "../../test/support/tree-leader.ts";
import { limits } from "../base/limits.ts";

function connected(recentTxns = 1024): { world: World; at: Connection; session: OpenedSession } {
  const world = World.serving({ config: { sizes: { recentTxns } } });
  const { session, ...at } = world.connect({ timeoutMs: 120_000 });
  world.do(create("/a"));
  at.sink.take();
  return { world, at, session };
}

/** The seqs of a session in the order of the log. */
function seqsOf(world: World, session: OpenedSession): number[] {
  return world.log.all().flatMap((txn) => (txn.session === session.id && txn.seq > 0 ? [txn.seq] : []));
}

describe("a retry", () => {
  it("of a write in flight joins it", () => {
    const { world, at, session } = connected();
    at.stream.write(1, setData("/a"), 1);
    world.replica.flush();
    at.stream.write(2, setData("/a"), 1);
    const unary = world.unaryWrite(setData("/a"), { session, seq: 1 });
    world.settle();
    expect(at.sink.take()).toEqual(["1 ok @4", "2 ok @4"]);
    expect(unary.answers[0]).toMatchObject({ zxid: 4, what: "committed" });
    expect(seqsOf(world, session)).toEqual([1]);
  });

  it("of a completed write gets the same answer, from memory", () => {
    const { world, at, session } = connected();
    at.stream.write(1, setData("/a", bytes("x")), 1);
    at.stream.write(2, del("/missing"), 2);
    world.settle();
    const before = at.sink.answers.map(({ txn, refusal, zxid }) => ({ txn, refusal, zxid }));
    const reads = world.history.reads;
    at.stream.write(3, setData("/a", bytes("x")), 1);
    at.stream.write(4, del("/missing"), 2);
    expect(at.sink.answers.slice(2).map(({ txn, refusal, zxid }) => ({ txn, refusal, zxid }))).toEqual(before);
    expect(world.history.reads).toBe(reads);
    expect(seqsOf(world, session)).toEqual([1, 2]);
  });

  it("of a write long ago is answered from the history, in its turn", () => {
    const { world, at } = connected(2);
    at.stream.write(1, create("/x", { data: bytes("x") }), 1);
    at.stream.write(2, del("/missing"), 2);
    world.settle();
    const before = at.sink.answers.map(({ txn, refusal }) => ({ txn, refusal }));
    for (let i = 0; i < 5; i++) world.do(setData("/a"));
    at.sink.take();
    at.stream.write(3, create("/x", { data: bytes("x") }), 1);
    at.stream.write(4, del("/missing"), 2);
    at.stream.write(5, setData("/a"), 3);
    world.replica.flush();
    world.persist();
    expect(at.sink.take()).toEqual([]);
    world.settle();
    expect(at.sink.answers.slice(0, 2).map(({ txn, refusal }) => ({ txn, refusal }))).toEqual(before);
    expect(at.sink.answers.map((answer) => answer.call)).toEqual([3, 4, 5]);
  });

  it("of a write whose row is purged gets its zxid, or its reason", () => {
    const { world, at } = connected(2);
    at.stream.write(1, create("/x"), 1);
    at.stream.write(2, del("/missing"), 2);
    world.settle();
    for (let i = 0; i < 5; i++) world.do(setData("/a"));
    world.history.oldestZxid = 8;
    at.sink.take();
    at.stream.write(3, create("/x"), 1);
    at.stream.write(4, del("/missing"), 2);
    world.settle();
    expect(at.sink.answers).toMatchObject([
      { call: 3, zxid: 4, what: "committedBefore", count: 2 },
      { call: 4, zxid: 5, reason: "NO_NODE" },
    ]);
  });

  it("after its acknowledgement is SEQUENCE_TOO_OLD, and with another content SEQUENCE_REUSED", () => {
    const { world, at, session } = connected();
    at.stream.write(1, setData("/a"), 1);
    world.replica.flush();
    at.stream.write(2, setData("/a", bytes("other")), 1);
    world.settle();
    at.stream.write(3, del("/a"), 1);
    at.stream.acknowledge(1);
    at.stream.write(4, setData("/a"), 2);
    world.settle();
    at.stream.write(5, setData("/a"), 1);
    const reasons = at.sink.answers.map((answer) => answer.reason);
    expect(reasons).toEqual(["", "SEQUENCE_REUSED", "SEQUENCE_REUSED", "", "SEQUENCE_TOO_OLD"]);
    expect(seqsOf(world, session)).toEqual([1, 2]);
  });

  it("is told apart by every part of the request", () => {
    const { world, at } = connected();
    at.stream.write(1, create("/x", { data: bytes("x") }), 1);
    world.settle();
    at.sink.take();
    const others = [
      create("/y", { data: bytes("x") }),
      create("/x", { data: bytes("y") }),
      create("/x", { data: null }),
      create("/x", { data: bytes("x"), mode: 2 }),
      create("/x", { data: bytes("x"), acl: [{ permissions: 1, scheme: "world", id: "anyone" }] }),
      setData("/x", bytes("x")),
      { kind: "multi" as const, operations: [create("/x", { data: bytes("x") })] },
    ];
    for (const other of others) at.stream.write(2, other, 1);
    expect(at.sink.answers.map((answer) => answer.reason)).toEqual(others.map(() => "SEQUENCE_REUSED"));
  });
});

describe("early arrivals", () => {
  it("run in order when the gap closes, over streams and unary calls", () => {
    const { world, at, session } = connected();
    at.stream.write(1, setData("/a", bytes("3")), 3);
    const second = world.unaryWrite(setData("/a", bytes("2")), { session, seq: 2 });
    expect(world.replica.lastLoggedZxid).toBe(3);
    const first = world.unaryWrite(setData("/a", bytes("1")), { session, seq: 1 });
    world.settle();
    expect([first, second, at.sink].map((sink) => sink.answers[0]!.zxid)).toEqual([4, 5, 6]);
    expect(seqsOf(world, session)).toEqual([1, 2, 3]);
  });

  it("beyond the window are SEQUENCE_GAP at once; at its edge they wait", () => {
    const { world, at } = connected();
    at.stream.write(1, setData("/a"), 2 + limits.unacknowledgedOutcomes);
    expect(at.sink.answers).toMatchObject([{ reason: "SEQUENCE_GAP", refusal: { metadata: { expected_seq: "1" } } }]);
    const { session, ...other } = world.connect({ timeoutMs: 120_000 });
    expect(session.id).toBeGreaterThan(0);
    other.stream.write(2, setData("/a"), 1 + limits.unacknowledgedOutcomes);
    expect(other.sink.answers).toEqual([]);
  });

  it("wait five seconds, then are SEQUENCE_GAP, and consume nothing", () => {
    const { world, at, session } = connected();
    at.stream.write(1, setData("/a", bytes("2")), 2);
    world.pass(4900);
    expect(at.sink.take()).toEqual([]);
    world.pass(200);
    expect(at.sink.take()).toEqual(["1 SEQUENCE_GAP @3"]);
    at.stream.write(2, setData("/a", bytes("1")), 1);
    at.stream.write(3, setData("/a", bytes("another 2")), 2);
    world.settle();
    expect(at.sink.take()).toEqual(["2 ok @4", "3 ok @5"]);
    expect(seqsOf(world, session)).toEqual([1, 2]);
  });

  it("that are sent again are answered together, and do not block their stream", () => {
    const { world, at, session } = connected();
    const first = world.unaryWrite(setData("/a"), { session, seq: 2 });
    at.stream.write(1, setData("/a"), 2);
    at.stream.write(2, setData("/a"), 2);
    at.stream.write(3, setData("/a"), 3);
    const reused = world.unaryWrite(del("/a"), { session, seq: 2 });
    expect(reused.answers.map((answer) => answer.reason)).toEqual(["SEQUENCE_REUSED"]);
    world.unaryWrite(setData("/a"), { session, seq: 1 });
    world.settle();
    expect(first.answers).toMatchObject([{ zxid: 5, reason: "" }]);
    expect(at.sink.take()).toEqual(["1 ok @5", "2 ok @5", "3 ok @6"]);
  });

  it("whose turn comes while they cannot run are told once, and run when sent again", () => {
    const { world, at, session } = connected();
    const early = world.unaryWrite(setData("/a"), { session, seq: 2 });
    world.replica.setDiskLow(true);
    at.stream.write(1, del("/missing"), 1);
    expect(early.answers).toMatchObject([{ reason: "DISK_LOW" }]);
    world.replica.setDiskLow(false);
    world.pass(6000);
    world.settle();
    expect(early.answers).toHaveLength(1);
    expect(seqsOf(world, session)).toEqual([1]);
    at.stream.write(2, setData("/a"), 2);
    world.settle();
    expect(seqsOf(world, session)).toEqual([1, 2]);
  });

  it("of a stream that is gone still run", () => {
    const { world, at, session } = connected();
    at.stream.write(1, setData("/a"), 2);
    const next = world.attach(session);
    next.stream.write(1, setData("/a"), 1);
    next.stream.write(2, setData("/a"), 2);
    world.settle();
    expect(next.sink.take()).toEqual(["attached 0", "1 ok @4", "2 ok @5"]);
    expect(at.sink.take()).toEqual(["ended SESSION_MOVED"]);
  });
});

describe("a write that can never succeed", () => {
  it("consumes its seq, by a transaction that says so", () => {
    const { world, at, session } = connected();
    at.stream.write(1, create("no path"), 1);
    at.stream.write(2, create("/big", { data: new Uint8Array(limits.data + 1) }), 2);
    at.stream.write(3, { kind: "multi", operations: [] }, 3);
    at.stream.write(4, setData("/a"), 4);
    world.replica.flush();
    expect(at.sink.take()).toEqual([]);
    world.settle();
    expect(at.sink.take()).toEqual(["1 BAD_ARGUMENTS @4", "2 DATA_TOO_LARGE @5", "3 BAD_ARGUMENTS @6", "4 ok @7"]);
    expect(seqsOf(world, session)).toEqual([1, 2, 3, 4]);
    at.stream.write(5, create("no path"), 1);
    expect(at.sink.take()).toEqual(["5 BAD_ARGUMENTS @4"]);
  });

  it("without a seq takes no zxid", () => {
    const { world, at } = connected();
    at.stream.write(1, create("no path"), 0);
    expect(at.sink.take()).toEqual(["1 BAD_ARGUMENTS @3"]);
    expect(world.replica.lastLoggedZxid).toBe(3);
  });

  it.each([-1])("with the seq %i has none", (seq) => {
    const { world, at } = connected();
    at.stream.write(1, setData("/a"), seq);
    expect(at.sink.take()).toEqual(["1 BAD_ARGUMENTS @3"]);
    expect(world.unaryWrite(setData("/a"), { seq: 5 }).answers).toMatchObject([{ reason: "SESSION_REQUIRED" }]);
  });
});

describe("a refusal for now", () => {
  it("consumes nothing, and those after it on that stream get the same until it is sent again", () => {
    const { world, at, session } = connected();
    world.replica.setDiskLow(true);
    at.stream.write(1, setData("/a"), 1);
    at.stream.write(2, del("/missing"), 2);
    at.stream.write(3, del("/missing"), 0);
    world.replica.setDiskLow(false);
    at.stream.write(4, del("/missing"), 3);
    world.settle();
    expect(at.sink.take()).toEqual(["1 DISK_LOW @3", "2 DISK_LOW @3", "3 NO_NODE @4", "4 DISK_LOW @3"]);
    at.stream.write(5, setData("/a"), 1);
    at.stream.write(6, del("/missing"), 2);
    at.stream.write(7, del("/missing"), 3);
    world.settle();
    expect(at.sink.take()).toEqual(["5 ok @5", "6 NO_NODE @6", "7 NO_NODE @7"]);
    expect(seqsOf(world, session)).toEqual([1, 2, 3]);
  });

  it("blocks no longer when the write has run by another way", () => {
    const { world, at, session } = connected();
    world.replica.setDiskLow(true);
    at.stream.write(1, setData("/a"), 1);
    at.stream.write(2, setData("/a"), 2);
    world.replica.setDiskLow(false);
    world.unaryWrite(setData("/a"), { session, seq: 1 });
    at.stream.write(3, setData("/a"), 2);
    world.settle();
    expect(at.sink.take()).toEqual(["1 DISK_LOW @3", "2 DISK_LOW @3", "3 ok @5"]);
  });

  it("because of too many unacknowledged outcomes ends with an acknowledgement", () => {
    const { world, at, session } = connected();
    const most = limits.unacknowledgedOutcomes;
    for (let seq = 1; seq <= most + 2; seq++) at.stream.write(seq, setData("/a"), seq);
    world.settle();
    const reasons = at.sink.answers.map((answer) => answer.reason);
    expect(reasons.slice(0, most)).toEqual(Array(most).fill(""));
    expect(reasons.slice(most)).toEqual(["TOO_MANY_UNACKNOWLEDGED", "TOO_MANY_UNACKNOWLEDGED"]);
    at.sink.take();
    at.stream.acknowledge(10);
    for (let seq = most + 1; seq <= most + 11; seq++) at.stream.write(seq, setData("/a"), seq);
    world.settle();
    expect(at.sink.answers.map((answer) => answer.reason)).toEqual([
      ...Array<string>(10).fill(""),
      "TOO_MANY_UNACKNOWLEDGED",
    ]);
    const kept = [...world.replica.sessions.get(session.id)!.unacknowledged()];
    expect(kept.length).toBeLessThanOrEqual(most);
  });
});

describe("acknowledgements", () => {
  it("ride on the next write, and are never taken beyond what was answered", () => {
    const { world, at, session } = connected();
    at.stream.write(1, setData("/a"), 1);
    at.stream.acknowledge(50);
    at.stream.write(2, setData("/a"), 2);
    world.settle();
    const replicated = world.replica.sessions.get(session.id)!;
    expect([replicated.lastSeq, replicated.acked]).toEqual([2, 1]);
    expect(world.log.txn(5).acked).toBe(1);
    at.stream.write(3, setData("/a"), 2);
    expect(at.sink.take().at(-1)).toBe("3 ok @5");
  });

  it("of sessions that do not write are folded in by one rare transaction, which survives", () => {
    const { world, at, session } = connected();
    const second = world.connect({ timeoutMs: 120_000 });
    for (const { stream } of [at, second]) stream.write(1, setData("/a"), 1);
    world.settle();
    for (const { stream } of [at, second]) stream.acknowledge(1);
    const before = world.replica.lastLoggedZxid;
    world.pass(10_000);
    world.settle();
    expect(world.log.all().filter((txn) => txn.request === 11)).toHaveLength(1);
    expect(world.replica.lastLoggedZxid).toBe(before + 1);
    for (const { id } of [session, second.session]) expect(world.replica.sessions.get(id)!.acked).toBe(1);
    world.pass(20_000);
    world.settle();
    expect(world.replica.lastLoggedZxid).toBe(before + 1);
    world.crash();
    world.settle();
    expect(world.replica.sessions.get(session.id)!.acked).toBe(1);
  });
});

describe("what became of a write", () => {
  function stateOf(world: World, session: OpenedSession, seq: number): unknown {
    const report = world.outcome(session.id, session.secret, seq);
    return "reason" in report ? report.reason : [report.state, report.ended];
  }

  it("is told at every stage, across a crash and the end of the session", () => {
    const { world, at, session } = connected();
    expect(stateOf(world, session, 1)).toEqual(["notSeen", false]);
    at.stream.write(1, setData("/a"), 1);
    at.stream.write(2, del("/missing"), 2);
    at.stream.write(3, setData("/a"), 4);
    expect(stateOf(world, session, 1)).toEqual(["pending", false]);
    expect(stateOf(world, session, 3)).toEqual(["notSeen", false]);
    expect(stateOf(world, session, 4)).toEqual(["pending", false]);
    world.settle();
    const told = () => [1, 2, 3].map((seq) => stateOf(world, session, seq));
    const open = [
      ["succeeded", false],
      ["failed", false],
      ["notSeen", false],
    ];
    expect(told()).toEqual(open);
    expect(world.outcome(session.id, session.secret, 2)).toMatchObject({
      zxid: 5,
      refusal: { reason: "NO_NODE" },
    });
    world.crash();
    world.settle();
    expect(told()).toEqual(open);
    const again = world.attach(session);
    expect(again.sink.take()).toEqual(["attached 2"]);
    again.stream.acknowledge(1);
    again.stream.write(1, setData("/a"), 3);
    world.settle();
    expect(stateOf(world, session, 1)).toEqual(["forgotten", false]);
    again.stream.closeSession(2);
    world.settle();
    const closed = [
      ["forgotten", true],
      ["failed", true],
      ["succeeded", true],
      ["notSeen", true],
    ];
    expect([1, 2, 3, 4].map((seq) => stateOf(world, session, seq))).toEqual(closed);
    world.crash();
    world.settle();
    expect([1, 2, 3, 4].map((seq) => stateOf(world, session, seq))).toEqual(closed);
    expect(stateOf(world, { ...session, secret: "wrong" }, 2)).toBe("SESSION_EXPIRED");
    expect(stateOf(world, { ...session, id: 99 }, 2)).toBe("SESSION_EXPIRED");
  });

  it("is the same for a retry after a crash that kept the write but not its answer", () => {
    const { world, at, session } = connected();
    at.stream.write(1, create("/once"), 1);
    world.replica.flush();
    world.log.sync();
    world.crash();
    world.settle();
    const again = world.attach(session);
    again.stream.write(1, create("/once"), 1);
    again.stream.write(2, create("/once"), 2);
    world.settle();
    const answers = again.sink.answers.slice(0, 1);
    expect(again.sink.take()).toEqual(["attached 1", "1 ok @4", "2 NODE_EXISTS @5"]);
    expect(happenedOnce([{ session: session.id, seq: 1, path: "/once", answers }], world.log.all())).toEqual([]);
  });

  it("is open after a crash that lost the write: the retry runs, in order", () => {
    const { world, at, session } = connected();
    at.stream.write(1, create("/once"), 1);
    world.replica.flush();
    world.crash();
    world.settle();
    const again = world.attach(session);
    again.stream.write(1, create("/once"), 1);
    world.settle();
    expect(again.sink.take()).toEqual(["attached 0", "1 ok @4"]);
  });
});
