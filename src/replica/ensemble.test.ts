/** What servers do for their clients together. Faults of all kinds at random: src/sim. */
import { describe, expect, it } from "vitest";
import { EnsembleWorld, voters, type Server } from "../../test/support/ensemble-world.ts";
import {
  anyAge,
  bytes,
  exists,
  getData,
  linearizable,
  tickMs,
  watchOf,
  type RecordingSink,
} from "../../test/support/replica-world.ts";
import { create, del, setData } from "../../test/support/tree-leader.ts";
import { ByteWriter } from "../base/bytes.ts";
import { beginRequests, encodeRequest, endRequests, type LearnerRequest } from "./request-codec.ts";

const ephemeral = (path: string) => create(path, { mode: 2 });

function serving(config = {}) {
  const world = EnsembleWorld.serving(voters, config);
  const { leader } = world;
  const [one, other] = world.followers as [Server, Server];
  return { world, leader, one, other };
}

function reasonsOf(sink: RecordingSink): string[] {
  return sink.answers.map(({ reason }) => reason);
}

function sameDigests(world: EnsembleWorld): boolean {
  world.settle();
  return new Set(world.alive.map(({ replica }) => replica.digest())).size === 1;
}

function creations(server: Server, path: string): number {
  return server.log.all().filter(({ ops }) => ops.some((op) => op.kind === 2 && op.path === path)).length;
}

function encoded(requests: readonly LearnerRequest[], firstTicket = 1_000_000): Uint8Array {
  const writer = new ByteWriter();
  beginRequests(writer, firstTicket);
  for (const request of requests) encodeRequest(request, writer);
  endRequests(writer, requests.length);
  return writer.copy();
}

describe("an ensemble", () => {
  it("is founded by three servers, and each of them serves reads and writes", () => {
    const { world } = serving();
    for (const server of world.servers) {
      const written = server.write(create(`/n${server.id}`));
      world.settle();
      expect(written.answers).toMatchObject([{ what: "committed", reason: "" }]);
      expect(server.read(getData(`/n${server.id}`)).answers).toMatchObject([{ what: "data" }]);
    }
    expect(sameDigests(world)).toBe(true);
    const founding = world.leader.log.all().filter(({ ops }) => ops[0]!.kind === 1);
    expect(founding).toHaveLength(1);
    expect(new Set(world.servers.map(({ replica }) => replica.clusterId)).size).toBe(1);
  });

  it("has observers, which serve everything and count nowhere", () => {
    const world = EnsembleWorld.serving([...voters, { id: 4, voter: false }]);
    const observer = world.server(4);
    const { session, stream, sink } = observer.connect();
    stream.write(1, create("/a"), 1);
    stream.read(2, getData("/a"), linearizable);
    world.settle();
    expect(sink.take().slice(-2)).toEqual([`1 ok @${session.id + 1}`, `2 ok @${session.id + 1}`]);
    for (const server of world.followers.filter(({ id }) => id !== 4).slice(0, 2)) world.kill(server);
    const stuck = world.leader.write(create("/b"));
    world.settle();
    expect(stuck.answers).toEqual([]);
  });
});

describe("a write on a follower", () => {
  it("is answered once this server has applied it, and a read after it sees it", () => {
    const { world, leader, one } = serving();
    const { stream, sink } = one.connect();
    sink.take();
    // The leader and the other follower commit without it.
    world.holdWay(leader, one);
    stream.write(1, create("/a", { data: bytes("x") }), 1);
    stream.read(2, getData("/a"), anyAge);
    world.settle();
    expect(leader.replica.tree.find("/a")).toBeGreaterThan(0);
    expect(sink.take()).toEqual([]);
    world.release();
    world.settle();
    expect(sink.take().map((line) => line.replace(/ @.*/, ""))).toEqual(["1 ok", "2 ok"]);
  });

  it.each(["unnumbered", "numbered"])("is refused as on the leader, %s", (how) => {
    const { world, leader, one } = serving();
    const requests = [
      del("/missing"),
      del("/"),
      create("/a/../b"),
      create("/big", { data: new Uint8Array(1024 * 1024 + 1) }),
      create("/\ud800"),
      { kind: "multi" as const, operations: [create("/m"), del("/none")] },
    ];
    const answers = [leader, one].map((server) => {
      const { stream, sink } = server.connect();
      for (const [index, request] of requests.entries()) {
        stream.write(index + 1, request, how === "numbered" ? index + 1 : 0);
      }
      world.settle();
      return sink.answers.map(({ refusal }) => refusal);
    });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[0]!.map((refusal) => refusal?.reason)).toEqual([
      "NO_NODE",
      "BAD_ARGUMENTS",
      "BAD_ARGUMENTS",
      "DATA_TOO_LARGE",
      "BAD_ARGUMENTS",
      "NO_NODE",
    ]);
  });

  it("carries who asks, and from where", () => {
    const { world, one } = serving();
    const session = one.open();
    const acl = [{ permissions: 31, scheme: "ip", id: "10.0.0.1" }];
    const near = one.attach(session, "ip:10.0.0.1");
    world.settle();
    near.stream!.write(1, create("/mine", { acl }), 1);
    world.settle();
    const far = one.attach(session, "ip:10.0.0.2");
    world.settle();
    far.stream!.write(2, setData("/mine"), 2);
    world.settle();
    expect(reasonsOf(near.sink)).toEqual([""]);
    expect(reasonsOf(far.sink)).toEqual(["NO_AUTH"]);
    expect(one.log.all().at(-1)!.who).toBe("ip:10.0.0.2");
  });

  it("runs once, whichever way its retries come", () => {
    const { world, leader, one, other } = serving();
    const { session, stream, sink } = one.connect();
    stream.write(1, create("/a"), 1);
    const early = [one, other, leader].map((server) => server.write(create("/a"), { session, seq: 1 }));
    world.settle();
    const late = [one, other, leader].map((server) => server.write(create("/a"), { session, seq: 1 }));
    world.settle();
    const told = [sink, ...early, ...late].flatMap(({ answers }) => answers.map(({ reason, zxid }) => [reason, zxid]));
    expect(told).toHaveLength(7);
    expect(new Set(told.map(String)).size).toBe(1);
    expect(creations(leader, "/a")).toBe(1);
  });

  it("is told what is known of it once its row is purged", () => {
    const { world, one } = serving({ sizes: { recentTxns: 2 } });
    const { session, stream } = one.connect();
    stream.write(1, create("/a"), 1);
    stream.write(2, del("/missing"), 2);
    world.settle();
    for (let i = 0; i < 5; i++) one.write(create(`/x${i}`));
    world.settle();
    one.history.oldestZxid = one.replica.appliedZxid;
    const again = [one.write(create("/a"), { session, seq: 1 }), one.write(del("/missing"), { session, seq: 2 })];
    world.settle();
    expect(again.map((sink) => sink.answers.map(({ what, reason }) => [what, reason]))).toEqual([
      [["committedBefore", ""]],
      [["refused", "NO_NODE"]],
    ]);
  });

  it("that must wait for lower seqs runs in its turn, and what cannot run blocks those behind it", () => {
    const { world, leader, one } = serving();
    const { session, stream, sink } = one.connect();
    sink.take();
    stream.write(1, create("/b"), 2);
    world.settle();
    expect(sink.answers).toEqual([]);
    leader.write(create("/a"), { session, seq: 1 });
    world.settle();
    expect(reasonsOf(sink)).toEqual([""]);
    sink.take();
    for (const server of world.servers) server.replica.setDiskLow(true);
    world.pass(500);
    for (let seq = 3; seq <= 5; seq++) stream.write(seq, seq === 5 ? del("/a") : setData("/a"), seq);
    world.settle();
    expect(reasonsOf(sink)).toEqual(["DISK_LOW", "DISK_LOW", "DISK_LOW"]);
    for (const server of world.servers) server.replica.setDiskLow(false);
    world.pass(500);
    sink.take();
    for (let seq = 3; seq <= 5; seq++) stream.write(seq, seq === 5 ? del("/a") : setData("/a"), seq);
    world.settle();
    expect(reasonsOf(sink)).toEqual(["", "", ""]);
  });

  it("is one of many, in one message a turn", () => {
    const { world, leader, one } = serving();
    const { stream, sink } = one.connect();
    world.hold(leader, one);
    for (let seq = 1; seq <= 200; seq++) stream.write(seq, create(`/n${seq}`), seq);
    one.replica.flush();
    expect(world.underWay(one, leader)).toEqual(["request"]);
    world.release();
    world.settle();
    expect(sink.answers.map(({ call, reason }) => `${call}${reason}`)).toEqual(
      Array.from({ length: 200 }, (_, index) => String(index + 1)),
    );
    expect(sameDigests(world)).toBe(true);
  });
});

describe("when the leader is lost", () => {
  it("numbered writes of its followers are sent again, in order, and happen once, done or not", () => {
    for (const reach of ["nothing", "one server", "committed"] as const) {
      const { world, leader, one, other } = serving();
      const { session, stream, sink } = one.connect();
      sink.take();
      if (reach === "nothing") world.holdWay(one, leader);
      else if (reach === "one server") world.holdWay(leader, other);
      else world.holdWay(leader, one);
      for (let seq = 1; seq <= 3; seq++) stream.write(seq, create(`/n${seq}`), seq);
      world.settle();
      world.kill(leader);
      world.release();
      world.elect();
      world.settle();
      expect(sink.entries.filter(({ kind }) => kind === "ended")).toEqual([]);
      expect(reasonsOf(sink)).toEqual(["", "", ""]);
      for (let seq = 1; seq <= 3; seq++) expect(creations(world.leader, `/n${seq}`)).toBe(1);
      expect(world.leader.replica.sessions.get(session.id)!.lastSeq).toBe(3);
      world.restart(leader);
      world.elect();
      expect(sameDigests(world)).toBe(true);
    }
  });

  it("an unnumbered write that was sent is OUTCOME_UNKNOWN; one that was not runs once", () => {
    const { world, leader, one } = serving();
    const { stream, sink } = one.connect();
    sink.take();
    world.hold(leader, one);
    stream.write(1, create("/sent"), 0);
    const unary = one.write(create("/unary"));
    one.replica.flush();
    world.kill(leader);
    world.release();
    stream.write(2, create("/held"), 0);
    world.elect();
    expect(reasonsOf(sink)).toEqual(["OUTCOME_UNKNOWN", ""]);
    expect(reasonsOf(unary)).toEqual(["OUTCOME_UNKNOWN"]);
    expect(creations(one, "/held")).toBe(1);
  });

  it("opening a session and closing one go on with the next leader", () => {
    const { world, leader, one } = serving();
    const { session, stream, sink } = one.connect();
    sink.take();
    world.holdWay(leader, one);
    const opening = one.askToOpen("again");
    stream.closeSession(9);
    world.settle();
    world.kill(leader);
    world.release();
    world.elect();
    expect(opening.answers).toMatchObject([{ what: "committed", reason: "" }]);
    expect(sink.take().map((line) => line.replace(/ @.*/, ""))).toEqual(["9 ok", "ended closed"]);
    expect(one.replica.sessions.get(session.id)).toBeUndefined();
    expect([...one.replica.sessions.sessions()].filter(({ terms }) => terms.clientKey === "again")).toHaveLength(1);
  });

  it("streams and their reads outlive it for a while, then they end with NO_LEADER", () => {
    const { world, leader, one, other } = serving();
    one.write(create("/a"));
    const { stream, sink } = one.connect();
    const watch = one.sink();
    one.replica.addWatch({
      sink: watch,
      id: 1,
      spec: watchOf("/"),
      caller: { session: 0, identities: [], who: "" },
    });
    const attaching = one.open();
    world.kill(leader);
    world.kill(other);
    sink.take();
    watch.take();
    stream.read(1, getData("/a"), anyAge);
    stream.read(2, getData("/a"), linearizable);
    stream.write(3, setData("/a"), 1);
    const refused = [one.write(create("/b")), one.read(getData("/a"))];
    expect(refused.map(reasonsOf)).toEqual([["NO_LEADER"], ["NO_LEADER"]]);
    expect(one.attach(attaching).refused?.reason).toBe("NO_LEADER");
    world.pass(1400);
    expect(sink.take().map((line) => line.replace(/ @.*/, ""))).toEqual(["1 ok"]);
    expect(one.replica.readable).toBe(true);
    world.pass(200);
    expect(sink.take()).toEqual(["ended NO_LEADER"]);
    expect(watch.take()).toEqual(["watch ended NO_LEADER [1]"]);
    expect(one.replica.readable).toBe(false);
  });

  it("that is this server, streams with unanswered writes end, others stay, unary writes are OUTCOME_UNKNOWN", () => {
    const { world, leader } = serving();
    const busy = leader.connect();
    const idle = leader.connect();
    const unnumbered = leader.connect();
    leader.isDiskWorking = false;
    world.isolate(leader);
    busy.stream.write(1, create("/a"), 1);
    unnumbered.stream.write(1, create("/b"), 0);
    const unary = leader.write(create("/c"), { session: idle.session, seq: 1 });
    const plain = leader.write(create("/d"));
    const opening = leader.askToOpen("k");
    for (const { sink } of [busy, idle, unnumbered]) sink.take();
    // It hears no quorum, and is a follower of the next leader when its disk works again.
    world.pass(1200);
    expect(leader.replica.serving).toBe(false);
    expect(busy.sink.take()).toEqual(["ended NO_LEADER"]);
    expect(reasonsOf(unnumbered.sink)).toEqual(["OUTCOME_UNKNOWN"]);
    expect(unary.answers).toMatchObject([{ refusal: { reason: "OUTCOME_UNKNOWN", metadata: { seq: "1" } } }]);
    expect(reasonsOf(plain)).toEqual(["OUTCOME_UNKNOWN"]);
    expect(idle.sink.take()).toEqual([]);
    world.heal();
    leader.isDiskWorking = true;
    world.elect();
    expect(opening.answers).toMatchObject([{ reason: "" }]);
    idle.stream.write(2, create("/e"), 1);
    world.settle();
    expect(idle.sink.take().map((line) => line.replace(/ @.*/, ""))).toEqual(["2 ok"]);
    expect(sameDigests(world)).toBe(true);
    for (const path of ["/a", "/b", "/c", "/d"]) expect(world.leader.replica.tree.find(path)).toBe(-1);
  });

  it("a zxid that it gave out is nobody's: another transaction may have it", () => {
    const { world, leader, one, other } = serving();
    const { stream, sink } = one.connect();
    sink.take();
    world.hold(leader, other);
    world.holdWay(leader, one);
    const mine = one.write(create("/mine"));
    stream.write(1, create("/numbered"), 1);
    world.settle();
    // The follower hears of the zxids, and never gets the transactions.
    expect(world.underWay(leader, one)).toEqual(["answer", "proposal"]);
    world.stepWay(leader, one);
    world.kill(leader);
    world.hold(one, other);
    world.release();
    world.elect([other]);
    const theirs = other.write(create("/theirs"));
    world.elect();
    world.settle();
    const first = leader.log.recovered().durable.committed.zxid + 1;
    expect(theirs.answers[0]!.zxid).toBeLessThanOrEqual(first + 1);
    expect(reasonsOf(mine)).toEqual(["OUTCOME_UNKNOWN"]);
    expect(sink.answers).toMatchObject([{ reason: "" }]);
    expect(other.log.txn(sink.answers[0]!.zxid).ops[0]!.path).toBe("/numbered");
    expect(other.replica.tree.find("/mine")).toBe(-1);
  });
});

describe("a session", () => {
  it("moves between servers, and the old stream is fenced at once", () => {
    const { world, leader, one, other } = serving();
    const { session, ...old } = one.connect();
    // The old server does not hear of it yet.
    world.holdWay(leader, one);
    const fresh = other.attach(session);
    world.settle();
    expect(fresh.sink.entries[0]).toMatchObject({ kind: "attached" });
    expect(old.stream.isEnded).toBe(false);
    old.stream.write(1, create("/late"), 1);
    old.stream.write(2, create("/late-too"), 0);
    world.settle();
    expect(leader.replica.tree.find("/late")).toBe(-1);
    world.release();
    world.settle();
    expect(old.sink.take().at(-1)).toBe("ended SESSION_MOVED");
    expect(leader.replica.tree.find("/late-too")).toBe(-1);
    expect(fresh.refused).toBeUndefined();
  });

  it("moves to and from the leader, and within a server", () => {
    const { world, leader, one } = serving();
    const session = leader.open();
    const streams = [leader, one, one, leader, leader, one].map((server) => {
      const attached = server.attach(session);
      world.settle();
      return attached;
    });
    const ended = streams.map(({ sink }) => sink.take().at(-1)!.replace(/ \d+$/, ""));
    expect(ended).toEqual([...Array<string>(5).fill("ended SESSION_MOVED"), "attached"]);
    streams.at(-1)!.stream!.write(1, create("/a"), 1);
    world.settle();
    expect(reasonsOf(streams.at(-1)!.sink)).toEqual([""]);
    expect(world.servers.map(({ replica }) => replica.attachedCount)).toEqual(
      world.servers.map(({ id }) => (id === one.id ? 1 : 0)),
    );
  });

  it("keeps its stream through a change of leaders, and the highest number wins", () => {
    const { world, leader, one, other } = serving();
    const { session, ...old } = one.connect();
    world.holdWay(leader, one);
    const fresh = other.attach(session);
    world.settle();
    // The leader dies before it could tell the old server.
    world.kill(leader);
    world.release();
    world.elect();
    expect(old.stream.isEnded).toBe(true);
    expect(old.sink.take().at(-1)).toBe("ended SESSION_MOVED");
    expect(fresh.stream!.isEnded).toBe(false);
    fresh.stream!.write(1, create("/a"), 1);
    world.settle();
    expect(reasonsOf(fresh.sink)).toEqual([""]);
  });

  it("that was just opened elsewhere is known, however far behind this server is", () => {
    const { world, leader, one, other } = serving();
    world.holdWay(leader, one);
    const session = other.open();
    const attached = one.attach(session);
    const bogus = one.attach({ id: 1_000_000, secret: "x" });
    world.settle();
    expect([attached.stream, attached.refused, bogus.refused]).toEqual([undefined, undefined, undefined]);
    world.release();
    world.settle();
    expect(attached.sink.entries).toMatchObject([{ kind: "attached" }]);
    expect(bogus.refused?.reason).toBe("SESSION_EXPIRED");
  });

  it("is expired by the leader alone, on every server at the same transaction", () => {
    const { world, leader, one, other } = serving();
    const { session, stream, sink } = one.connect(2000);
    stream.write(1, ephemeral("/e"), 1);
    world.settle();
    for (let i = 0; i < 8; i++) {
      stream.heartbeat(i);
      world.pass(1000);
    }
    expect(one.replica.sessions.get(session.id)).toBeDefined();
    sink.take();
    world.pass(3000);
    expect(sink.take()).toEqual(["ended SESSION_EXPIRED"]);
    for (const server of [leader, one, other]) expect(server.replica.tree.find("/e")).toBe(-1);
    expect(leader.log.all().filter(({ request }) => request === 10)).toHaveLength(1);
    expect(sameDigests(world)).toBe(true);
  });

  it("gets a full timeout from each new leader, and none passes without one", () => {
    const { world, leader, one, other } = serving();
    const session = leader.open(2000);
    world.pass(1900);
    world.kill(leader);
    world.elect();
    world.pass(1900);
    for (const server of [one, other]) expect(server.replica.sessions.get(session.id)).toBeDefined();
    world.pass(1000);
    for (const server of [one, other]) expect(server.replica.sessions.get(session.id)).toBeUndefined();
  });

  it("survives a change of leaders with its ephemerals, outcomes and seqs", () => {
    const { world, leader, one } = serving();
    const { session, stream, sink } = one.connect();
    stream.write(1, ephemeral("/e"), 1);
    world.settle();
    const { zxid } = sink.answers.at(-1)!;
    world.kill(leader);
    world.elect();
    const again = world.leader.write(ephemeral("/e"), { session, seq: 1 });
    stream.write(2, create("/f"), 2);
    world.settle();
    expect(again.answers).toMatchObject([{ what: "committed", zxid }]);
    expect(reasonsOf(sink)).toEqual(["", ""]);
    expect(one.replica.tree.find("/e")).toBeGreaterThan(0);
  });

  it("is told of the end that another server asked for", () => {
    const { world, one, other } = serving();
    const { session, sink, stream } = one.connect();
    other.replica.close(other.local(session), { ...silent });
    world.settle();
    expect(sink.take().at(-1)).toBe("ended SESSION_EXPIRED");
    expect(stream.isEnded).toBe(true);
    const late = one.attach(session);
    expect(late.refused?.reason).toBe("SESSION_EXPIRED");
  });
});

const silent = {
  proposed: () => false,
  repeated: () => false,
  committed: () => undefined,
  committedBefore: () => undefined,
  refused: () => undefined,
  lost: () => undefined,
};

describe("a heartbeat", () => {
  it("is answered only when a leader that leads has received the touch", () => {
    const { world, leader, one } = serving();
    const { stream, sink } = one.connect(10_000);
    sink.take();
    stream.heartbeat(1);
    world.settle();
    expect(sink.take()).toEqual([]);
    world.pass(tickMs);
    expect(sink.take()).toEqual(["heartbeat 1"]);
    world.hold(leader, one);
    stream.heartbeat(2);
    world.pass(500);
    expect(sink.take()).toEqual([]);
    world.release();
    world.pass(tickMs);
    expect(sink.take()).toEqual(["heartbeat 2"]);
  });

  it("is not answered by a leader that nobody follows any more, nor by its followers", () => {
    const { world, leader, one, other } = serving();
    const at = leader.connect();
    const far = one.connect();
    for (const { sink } of [at, far]) sink.take();
    // The other follower is gone, and this one still asks but answers no rounds.
    world.isolate(leader);
    at.stream.heartbeat(1);
    world.pass(800);
    expect(at.sink.take()).toEqual([]);
    far.stream.heartbeat(2);
    world.elect([one, other]);
    world.pass(100);
    expect(far.sink.take()).toEqual(["heartbeat 2"]);
    world.pass(3000);
    expect(at.sink.take()).toEqual(["ended NO_LEADER"]);
  });

  it("of a unary caller is proved the same way", () => {
    const { world, one } = serving();
    const session = one.open(3000);
    world.settle();
    const told: unknown[] = [];
    one.replica.keepAlive(one.local(session), (remaining) => told.push(remaining));
    expect(told).toEqual([]);
    world.pass(tickMs);
    expect(told).toEqual([3000]);
  });
});

describe("a linearizable read", () => {
  it("on any server shows what any other server had answered before", () => {
    const { world, leader, one, other } = serving();
    other.write(create("/a"));
    world.settle();
    world.holdWay(leader, one);
    const written = other.write(setData("/a", bytes("new")));
    world.settle();
    expect(reasonsOf(written)).toEqual([""]);
    const read = one.read(getData("/a"), true);
    const stale = one.read(getData("/a"));
    world.settle();
    expect(read.answers).toEqual([]);
    expect(stale.answers).toMatchObject([{ data: new Uint8Array(0) }].map(() => ({ what: "data" })));
    world.release();
    world.settle();
    expect(read.answers).toMatchObject([{ data: bytes("new"), zxid: written.answers[0]!.zxid }]);
  });

  it("is not answered by a leader that is no longer followed", () => {
    const { world, leader, one, other } = serving();
    leader.write(create("/a"));
    world.settle();
    const { stream, sink } = leader.connect();
    sink.take();
    world.isolate(leader);
    world.elect([one, other]);
    const early = leader.replica.serving;
    stream.read(1, getData("/a"), linearizable);
    world.pass(200);
    expect(sink.answers).toEqual([]);
    world.pass(3000);
    expect(sink.take()).toEqual(["ended NO_LEADER"]);
    // It still believed to lead when the others had elected another one.
    expect(early).toBe(true);
  });

  it("is not answered by way of a follower of a leader that the others have left", () => {
    const world = EnsembleWorld.serving([1, 2, 3, 4, 5].map((id) => ({ id, voter: true })));
    const { leader } = world;
    const [one, ...others] = world.followers as [Server, Server, Server, Server];
    leader.write(create("/a"));
    const { session, stream, sink } = one.connect();
    const another = one.open();
    sink.take();
    world.part(leader, one);
    world.advance();
    world.settle();
    world.elect(others);
    expect([leader, one].map(({ replica }) => [replica.serving, replica.epoch])).toEqual([
      [true, 1],
      [true, 1],
    ]);
    const written = others[0].write(setData("/a", bytes("new")));
    world.settle();
    expect(reasonsOf(written)).toEqual([""]);
    const read = one.read(getData("/a"), true);
    const told: unknown[] = [];
    one.replica.keepAlive(one.local(session), (remaining) => told.push(remaining));
    const outcome = one.outcomeOf(session, 1);
    const attached = one.attach(another);
    stream.heartbeat(1);
    world.pass(200);
    expect([read.answers, told, outcome, attached.stream, sink.take()]).toEqual([[], [], [], undefined, []]);
    world.heal();
    world.pass(1200);
    world.elect();
    world.pass(100);
    expect(read.answers).toMatchObject([{ data: bytes("new") }]);
  });

  it("shares one question with all others of its turn, and waits for the next leader on a stream", () => {
    const { world, leader, one } = serving();
    one.write(create("/a"));
    world.settle();
    const { stream, sink } = one.connect();
    sink.take();
    world.hold(leader, one);
    const reads = Array.from({ length: 50 }, () => one.read(getData("/a"), true));
    stream.read(1, { kind: "sync" }, linearizable);
    one.replica.flush();
    expect(world.underWay(one, leader)).toEqual(["request"]);
    world.kill(leader);
    world.release();
    world.elect();
    world.settle();
    expect(reads.every((read) => read.answers[0]?.what === "data")).toBe(true);
    expect(sink.take().map((line) => line.replace(/ @.*/, ""))).toEqual(["1 ok"]);
  });
});

describe("a watch on a follower", () => {
  it("is told of every change before any answer that shows it", () => {
    const { world, leader, one } = serving();
    leader.write(create("/a"));
    world.settle();
    const { stream, sink } = one.connect();
    stream.addWatch(1, 100, watchOf("/a"));
    stream.read(2, exists("/a", 1), anyAge);
    sink.take();
    stream.write(3, setData("/a"), 1);
    stream.read(4, getData("/a"), anyAge);
    world.settle();
    leader.write(del("/a"));
    world.settle();
    const lines = sink.take().map((line) => line.replace(/ @.*/, ""));
    expect(lines).toEqual(["dataChanged /a [1]", "dataChanged /a [100]", "3 ok", "4 ok", "deleted /a [100]"]);
  });

  it("goes on through a change of leaders without loss or repetition", () => {
    const { world, leader, one, other } = serving();
    const watch = one.sink();
    const caller = { session: 0, identities: [], who: "" };
    one.replica.addWatch({ sink: watch, id: 1, spec: watchOf("/"), caller });
    for (let i = 0; i < 5; i++) leader.write(create(`/n${i}`));
    world.settle();
    world.kill(leader);
    world.elect();
    for (let i = 5; i < 9; i++) other.write(create(`/n${i}`));
    world.settle();
    expect(watch.events.map(({ path }) => path)).toEqual(Array.from({ length: 9 }, (_, i) => `/n${i}`));
  });
});

describe("what became of a write", () => {
  it("is told by any server, as the leader knows it", () => {
    const { world, leader, one } = serving();
    const { session, stream } = one.connect();
    world.holdWay(one, leader);
    stream.write(1, create("/a"), 1);
    one.replica.flush();
    const before = leader.outcomeOf(session, 1);
    world.settle();
    world.release();
    leader.isDiskWorking = false;
    const under = [leader, one].map((server) => server.outcomeOf(session, 1));
    world.settle();
    leader.isDiskWorking = true;
    world.settle();
    const after = [leader, one].map((server) => server.outcomeOf(session, 1));
    world.settle();
    expect(before).toEqual(["notSeen"]);
    expect(under[1]).toEqual(["pending"]);
    expect(after).toEqual([["succeeded"], ["succeeded"]]);
  });
});

describe("stopping", () => {
  it("a leader finishes what it has begun, takes nothing more, and leaves at once", () => {
    const { world, leader, one } = serving();
    const local = leader.connect();
    const far = one.connect();
    for (const { sink } of [local, far]) sink.take();
    local.stream.write(1, create("/a"), 1);
    far.stream.write(1, create("/b"), 0);
    world.holdWay(one, leader);
    one.replica.flush();
    let stopped = 0;
    leader.replica.stop({ reason: "SHUTTING_DOWN", message: "", metadata: {} }, () => stopped++);
    local.stream.write(2, create("/c"), 2);
    world.release();
    world.settle();
    expect(stopped).toBe(1);
    expect(local.sink.take().map((line) => line.replace(/ @.*/, ""))).toEqual([
      "1 ok",
      "2 SHUTTING_DOWN",
      "ended SHUTTING_DOWN",
    ]);
    world.pass(200);
    expect(world.leader.id).not.toBe(leader.id);
    // Unnumbered, and yet not lost: the leader had declined it.
    expect(reasonsOf(far.sink)).toEqual([""]);
    expect(creations(one, "/b")).toBe(1);
  });

  it("a follower answers what it has forwarded, then ends its streams", () => {
    const { world, one } = serving();
    const { stream, sink } = one.connect();
    sink.take();
    stream.write(1, create("/a"), 1);
    let stopped = 0;
    one.replica.stop({ reason: "SHUTTING_DOWN", message: "", metadata: {} }, () => stopped++);
    expect(stopped).toBe(0);
    world.settle();
    expect(stopped).toBe(1);
    expect(sink.take().map((line) => line.replace(/ @.*/, ""))).toEqual(["1 ok", "ended SHUTTING_DOWN"]);
  });
});

describe("digests", () => {
  it("are compared, and whoever differs from the majority must stop", () => {
    const { world, leader, one, other } = serving({ digestEvery: 8 });
    flip(world, one, 7);
    for (let i = 0; i < 20; i++) leader.write(create(`/n${i}`));
    world.settle();
    expect(one.divergence).toMatchObject({ zxid: 8, agreed: leader.divergence?.own ?? expect.any(Number) });
    expect([leader.divergence, other.divergence]).toEqual([undefined, undefined]);
    expect(one.replica.unavailable()?.reason).toBe("INTERNAL");
    expect(leader.replica.serving).toBe(true);
  });

  it("of three that all differ, or of two without the third, stop everybody", () => {
    for (const alone of [false, true]) {
      const { world, leader, one, other } = serving({ digestEvery: 16 });
      if (alone) world.kill(other);
      flip(world, one, 7);
      if (!alone) flip(world, other, 8);
      for (let i = 0; i < 20; i++) leader.write(create(`/n${i}`));
      world.settle();
      world.pass(6000);
      expect(world.alive.map(({ divergence }) => divergence?.agreed)).toEqual(world.alive.map(() => undefined));
      expect(world.alive.every(({ divergence }) => divergence !== undefined)).toBe(true);
    }
  });
});

/** Something in memory that is not what it was. */
function flip(world: EnsembleWorld, server: Server, version: number): void {
  const { leader } = world;
  leader.write(create(`/odd${version}`));
  const sink = leader.write(setData(`/odd${version}`));
  world.settle();
  const { zxid } = sink.answers[0]!;
  const op = leader.log.txn(zxid).ops[0]!;
  server.replica.tree.apply(zxid, { ...op, stat: { ...op.stat, version } });
}

describe("what a follower says is not trusted", () => {
  const write = (more: object = {}): LearnerRequest => ({
    kind: "write",
    stream: 0,
    session: 0,
    identities: [],
    seq: 0,
    acked: 0,
    fingerprint: 0,
    request: create("/a"),
    ...more,
  });

  it("garbage, requests cut off and nonsense do nothing and crash nobody", () => {
    const { world, leader, one } = serving();
    const { session } = one.connect();
    const before = leader.replica.lastLoggedZxid;
    const nonsense: LearnerRequest[] = [
      write({ request: create("no path") }),
      write({ seq: 3 }),
      write({ session: 77 }),
      write({ stream: 55 }),
      write({ session: session.id, identities: Array(20).fill({ scheme: "ip", id: "1" }) }),
      { kind: "open", opening: { clientKey: "k", secretHash: "s", timeoutMs: 1, identities: [] }, who: "" },
      { kind: "close", session: 77 },
      { kind: "attach", stream: 1, session: 77, identities: [], number: undefined },
      { kind: "detach", stream: 99 },
      { kind: "touch", proof: true, sessions: [{ session: 77, acked: 9 }] },
      { kind: "outcome", session: session.id, secretHash: "wrong", seq: 1 },
      { kind: "digest", zxid: 8, digest: 1 },
    ];
    const whole = encoded(nonsense);
    one.replica.peer.request(whole);
    for (let end = 0; end < whole.length; end += 3) one.replica.peer.request(whole.slice(0, end));
    one.replica.peer.request(Uint8Array.of(1, 255, 255, 255, 255, 1));
    world.settle();
    expect(leader.replica.lastLoggedZxid).toBe(before);
    expect(world.alive.every(({ replica }) => replica.serving)).toBe(true);
    const written = one.write(create("/fine"));
    world.settle();
    expect(reasonsOf(written)).toEqual([""]);
  });

  it("a number that no leader gave does not take a session from its stream", () => {
    const { world, leader, one, other } = serving();
    const { session, stream } = other.connect();
    const number = { epoch: 1_000_000, count: 1_000_000 };
    one.replica.peer.request(encoded([{ kind: "attach", stream: 9, session: session.id, identities: [], number }]));
    world.settle();
    // It is taken for a new attach, which the next one takes over in turn.
    expect(stream.isEnded).toBe(true);
    const next = leader.attach(session);
    world.settle();
    expect(next.stream?.isEnded).toBe(false);
  });

  it("answers that are garbage crash nobody either", () => {
    const { world, leader, one } = serving();
    for (const garbage of [[], [9], [1, 77], [1, 1, 5, 5], [1, 3, 5, 255], [1, 9, 44]]) {
      leader.replica.peer.answer(one.id, Uint8Array.from(garbage));
    }
    world.settle();
    const written = one.write(create("/fine"));
    world.settle();
    expect(reasonsOf(written)).toEqual([""]);
  });
});
