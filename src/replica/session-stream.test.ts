/** One stream: order, waiting, fullness. */
import { describe, expect, it } from "vitest";
import { anyAge, bytes, exists, getChildren, getData, linearizable, World } from "../../test/support/replica-world.ts";
import { create, del, setData } from "../../test/support/tree-leader.ts";
import { limits } from "../base/limits.ts";
import { refusal } from "../base/reasons.ts";

function connected() {
  const world = World.serving();
  const { sink, stream, session } = world.connect();
  sink.take();
  return { world, sink, stream, session };
}

describe("requests of one stream", () => {
  it("take effect and are answered in order, reads and writes mixed", () => {
    const { world, sink, stream } = connected();
    stream.read(1, getData("/a"), anyAge);
    stream.write(2, create("/a", { data: bytes("1") }), 1);
    stream.read(3, getData("/a"), anyAge);
    stream.write(4, setData("/a", bytes("2")), 0);
    stream.read(5, getData("/a"), linearizable);
    stream.refuse(6, refusal("BAD_ARGUMENTS", "not understood"));
    stream.write(7, del("/a"), 2);
    stream.read(8, exists("/a"), anyAge);
    stream.read(9, { kind: "sync" }, linearizable);
    expect(sink.take()).toEqual(["1 NO_NODE @2"]);
    world.settle();
    expect(
      sink.answers.map(({ call, data, stat }) => [call, data === undefined ? stat : new TextDecoder().decode(data!)]),
    ).toMatchObject([
      [2, undefined],
      [3, "1"],
      [4, undefined],
      [5, "2"],
      [6, undefined],
      [7, undefined],
      [8, null],
      [9, undefined],
    ]);
  });

  it("do not wait for each other's batches: reads run between the commits of one batch", () => {
    const { world, sink, stream } = connected();
    stream.write(1, create("/a", { data: bytes("1") }), 1);
    stream.read(2, getData("/a"), anyAge);
    stream.write(3, setData("/a", bytes("2")), 2);
    stream.read(4, getData("/a"), anyAge);
    world.settle();
    expect(sink.take()).toEqual(["1 ok @3", "2 ok @3", "3 ok @4", "4 ok @4"]);
  });

  it("of other streams neither wait nor make wait", () => {
    const { world, sink, stream } = connected();
    const other = world.connect();
    other.sink.take();
    stream.write(1, create("/a"), 1);
    other.stream.read(2, exists("/a"), anyAge);
    expect(other.sink.take()).toEqual(["2 ok @3"]);
    expect(sink.take()).toEqual([]);
  });

  it("that are malformed reads are refused in turn", () => {
    const { world, sink, stream } = connected();
    stream.write(1, create("/a"), 1);
    stream.read(2, getData("no path"), anyAge);
    stream.read(3, getData("/a", -1), anyAge);
    stream.read(4, { kind: "multiRead", operations: [] }, anyAge);
    expect(sink.take()).toEqual([]);
    world.settle();
    expect(sink.take()).toEqual(["1 ok @3", "2 BAD_ARGUMENTS @3", "3 BAD_ARGUMENTS @3", "4 BAD_ARGUMENTS @3"]);
  });

  it("read pages of children, ephemerals and several things at once", () => {
    const { world, sink, stream } = connected();
    for (const path of ["/d", "/d/a", "/d/b"]) world.do(create(path));
    stream.write(1, create("/d/e", { mode: 2 }), 1);
    stream.read(2, { ...getChildren("/d"), limit: 2 }, anyAge);
    stream.read(3, { ...getChildren("/d"), after: "b" }, anyAge);
    stream.read(4, { kind: "ephemerals", prefix: "", after: "", limit: 10 }, anyAge);
    stream.read(5, { kind: "count", path: "/d" }, anyAge);
    stream.read(6, { kind: "multiRead", operations: [exists("/d"), getData("/none"), getChildren("/d")] }, anyAge);
    world.settle();
    const [, first, second, ephemerals, count, several] = sink.answers;
    expect([first!.names, first!.page!.nextAfter]).toEqual([["a", "b"], "b"]);
    expect([second!.names, second!.page!.nextAfter]).toEqual([["e"], ""]);
    expect(ephemerals!.names).toEqual(["/d/e"]);
    expect(count!.count).toBe(3);
    expect(several!.results!.map((result) => result.kind)).toEqual(["exists", "refused", "children"]);
  });
});

describe("a read that must be fresh", () => {
  it("waits for its transaction, and holds up what comes after it", () => {
    const { world, sink, stream } = connected();
    stream.read(1, exists("/a"), { linearizable: false, minZxid: 3 });
    stream.read(2, exists("/a"), anyAge);
    expect(sink.take()).toEqual([]);
    world.do(create("/a"));
    expect(sink.take()).toEqual(["1 ok @3", "2 ok @3"]);
  });

  it("is refused after five seconds, and then the next ones go on", () => {
    const { world, sink, stream } = connected();
    stream.read(1, exists("/a"), { linearizable: false, minZxid: 9 });
    stream.read(2, exists("/a"), { linearizable: true, minZxid: 10 });
    stream.read(3, exists("/a"), anyAge);
    world.pass(4900);
    expect(sink.take()).toEqual([]);
    world.pass(150);
    expect(sink.answers).toMatchObject([
      { call: 1, reason: "ZXID_NOT_REACHED", refusal: { metadata: { min_zxid: "9", zxid: "2" } } },
    ]);
    world.pass(5100);
    expect(sink.take()).toEqual(["1 ZXID_NOT_REACHED @2", "2 ZXID_NOT_REACHED @2", "3 ok @2"]);
  });

  it("without a stream waits alike", () => {
    const { world } = connected();
    const caller = { session: 0, identities: [], who: "" };
    const [reached, late] = [world.sink(), world.sink()];
    for (const [sink, minZxid] of [
      [reached, 3],
      [late, 99],
    ] as const) {
      world.replica.readUnary({
        sink,
        call: 1,
        request: exists("/a"),
        caller,
        freshness: { linearizable: false, minZxid },
      });
    }
    world.do(create("/a"));
    expect(reached.take()).toEqual(["1 ok @3"]);
    world.pass(6000);
    expect(late.take()).toEqual(["1 ZXID_NOT_REACHED @3"]);
    const watching = world.sink();
    world.replica.readUnary({ sink: watching, call: 1, request: exists("/a", 5), caller, freshness: anyAge });
    expect(watching.take()).toEqual(["1 BAD_ARGUMENTS @3"]);
  });
});

describe("a client that does not read", () => {
  it("is answered no further, in order, until it does; others are", () => {
    const { world, sink, stream } = connected();
    const other = world.connect();
    other.sink.take();
    sink.capacity = 1;
    sink.read();
    stream.write(1, create("/a"), 1);
    stream.read(2, exists("/a"), anyAge);
    stream.write(3, create("/b"), 2);
    other.stream.write(4, create("/c"), 1);
    world.settle();
    expect(sink.take()).toEqual(["1 ok @4"]);
    expect(other.sink.take()).toEqual(["4 ok @6"]);
    sink.capacity = Infinity;
    stream.drain();
    expect(sink.take()).toEqual(["2 ok @6", "3 ok @5"]);
  });
});

describe("fullness", () => {
  it("is reached by the number of requests and by their data, and goes with the answers", () => {
    const { world, stream } = connected();
    world.do(create("/a"));
    for (let call = 1; call <= limits.outstandingPerSession; call++) {
      expect(stream.isFull).toBe(false);
      stream.write(call, setData("/a"), 0);
    }
    expect(stream.isFull).toBe(true);
    world.settle();
    expect(stream.isFull).toBe(false);
    const data = new Uint8Array(limits.data);
    const most = limits.outstandingBytesPerSession / limits.data;
    for (let i = 0; i < most; i++) stream.write(1, { kind: "multi", operations: [setData("/a", data)] }, 0);
    expect(stream.isFull).toBe(true);
    world.settle();
    expect(stream.isFull).toBe(false);
  });
});

describe("a stream that is gone", () => {
  it("hears nothing, though its writes take effect", () => {
    const { world, sink, stream, session } = connected();
    stream.write(1, create("/a"), 1);
    stream.detach();
    world.settle();
    expect(sink.take()).toEqual([]);
    expect(world.replica.tree.find("/a")).toBeGreaterThan(0);
    expect(world.replica.sessions.get(session.id)!.lastSeq).toBe(1);
    expect(stream.isEnded).toBe(true);
  });
});
