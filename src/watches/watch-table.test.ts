/** ZooKeeper's watch tables, cell by cell: one-shot watches left by reads on a stream. */
import { describe, expect, it } from "vitest";
import {
  anyAge,
  bytes,
  exists,
  getChildren,
  getData,
  World,
  type Connection,
} from "../../test/support/replica-world.ts";
import { caller, create, del, deleteSubtree, setAcl, setData } from "../../test/support/tree-leader.ts";
import type { ReadRequest } from "../replica/read-request.ts";
import type { Caller } from "../tree/prepare.ts";
import type { WriteRequest } from "../tree/request.ts";

const open = [{ permissions: 31, scheme: "world", id: "anyone" }];
const bobOnly = [{ permissions: 31, scheme: "digest", id: "bob:B" }];
const bob = caller(0, "digest:bob:B");

interface Watching extends Connection {
  readonly world: World;
  /** Leaves a watch; the id is that of the watch. */
  leave(request: ReadRequest): void;
  /** Runs a write of somebody else and returns what the stream was told. */
  after(request: WriteRequest, by?: Caller): string[];
}

function watching(...paths: string[]): Watching {
  const world = World.serving();
  for (const path of paths) world.do(create(path));
  const { stream, sink } = world.connect();
  sink.take();
  return {
    world,
    stream,
    sink,
    leave: (request) => {
      stream.read(world.nextCall(), request, anyAge);
      sink.take();
    },
    after: (request, by) => {
      world.unaryWrite(request, by === undefined ? {} : { caller: by });
      world.settle();
      return sink.take().map((line) => line.replace(/ @\d+$/, ""));
    },
  };
}

/** Who watches what: by exists, getData and getChildren, of the znode and of its parent. */
const watches = {
  existsOfNode: exists("/p/n", 1),
  dataOfNode: getData("/p/n", 2),
  childrenOfNode: getChildren("/p/n", 3),
  dataOfParent: getData("/p", 4),
  childrenOfParent: getChildren("/p", 5),
  childrenOfGrandparent: getChildren("/", 6),
};
type Name = keyof typeof watches;

/** Writes, what must exist before, and the events that each watch gets; nobody else gets any. */
const table: readonly {
  readonly what: string;
  readonly before: readonly string[];
  readonly write: WriteRequest;
  readonly told: Partial<Record<Name, string[]>>;
}[] = [
  {
    what: "create",
    before: ["/p"],
    write: create("/p/n"),
    told: { existsOfNode: ["created /p/n [1]"], childrenOfParent: ["childrenChanged /p [5]"] },
  },
  {
    what: "delete",
    before: ["/p", "/p/n"],
    write: del("/p/n"),
    told: {
      existsOfNode: ["deleted /p/n [1]"],
      dataOfNode: ["deleted /p/n [2]"],
      childrenOfNode: ["deleted /p/n [3]"],
      childrenOfParent: ["childrenChanged /p [5]"],
    },
  },
  {
    what: "setData",
    before: ["/p", "/p/n"],
    write: setData("/p/n", bytes("x")),
    told: { existsOfNode: ["dataChanged /p/n [1]"], dataOfNode: ["dataChanged /p/n [2]"] },
  },
  {
    what: "a child's creation",
    before: ["/p", "/p/n"],
    write: create("/p/n/c"),
    told: { childrenOfNode: ["childrenChanged /p/n [3]"] },
  },
  {
    what: "a child's deletion",
    before: ["/p", "/p/n", "/p/n/c"],
    write: del("/p/n/c"),
    told: { childrenOfNode: ["childrenChanged /p/n [3]"] },
  },
  { what: "a child's data", before: ["/p", "/p/n", "/p/n/c"], write: setData("/p/n/c"), told: {} },
  { what: "setAcl", before: ["/p", "/p/n"], write: setAcl("/p/n", open), told: {} },
  { what: "a failed write", before: ["/p", "/p/n"], write: setData("/p/n", null, 99), told: {} },
  { what: "a failed create", before: ["/p", "/p/n"], write: create("/p/n"), told: {} },
  {
    what: "a check",
    before: ["/p", "/p/n"],
    write: { kind: "multi", operations: [{ kind: "check", path: "/p/n", version: 0, exists: true }] },
    told: {},
  },
  {
    what: "a multi that fails at its end",
    before: ["/p", "/p/n"],
    write: { kind: "multi", operations: [setData("/p/n"), del("/p/n"), del("/missing")] },
    told: {},
  },
  {
    what: "a multi that deletes and makes again",
    before: ["/p", "/p/n"],
    write: { kind: "multi", operations: [del("/p/n"), create("/p/n")] },
    told: {
      existsOfNode: ["deleted /p/n [1]"],
      dataOfNode: ["deleted /p/n [2]"],
      childrenOfNode: ["deleted /p/n [3]"],
      childrenOfParent: ["childrenChanged /p [5]"],
    },
  },
  {
    what: "deleteSubtree",
    before: ["/p", "/p/n", "/p/n/c"],
    write: deleteSubtree("/p/n"),
    told: {
      existsOfNode: ["deleted /p/n [1]"],
      dataOfNode: ["deleted /p/n [2]"],
      // The child's row comes first.
      childrenOfNode: ["childrenChanged /p/n [3]"],
      childrenOfParent: ["childrenChanged /p [5]"],
    },
  },
];

describe.each(table)("$what", ({ before, write, told }) => {
  it.each(Object.keys(watches) as Name[])("and the watch %s", (name) => {
    const at = watching(...before);
    const request = watches[name];
    const exists = before.includes(request.path) || request.path === "/";
    at.leave(request);
    const left = exists || request.kind === "exists";
    expect(at.world.replica.watchCount).toBe(left ? 1 : 0);
    const expected = left ? (told[name] ?? []) : [];
    expect(at.after(write)).toEqual(expected);
    expect(at.world.replica.watchCount).toBe(left && expected.length === 0 ? 1 : 0);
    // One-shot: the same again tells nothing, and the id is free.
    if (expected.length === 0) return;
    expect(at.after(setData("/p"))).toEqual([]);
    at.stream.cancelWatch(99, watches[name].watchId);
    expect(at.sink.answers[0]!.reason).toBe("NO_WATCHER");
  });
});

describe("an ephemeral's end", () => {
  it.each(["close", "expiry"])("by %s is a deletion", (how) => {
    const at = watching("/p");
    const owner = at.world.connect({ timeoutMs: 1000 });
    owner.stream.write(1, create("/p/n", { mode: 2 }), 1);
    at.world.settle();
    at.leave(getData("/p/n", 1));
    at.leave(getChildren("/p", 2));
    if (how === "close") owner.stream.closeSession(2);
    else at.world.pass(2000);
    at.world.settle();
    const lines = at.sink.take().map((line) => line.replace(/ @\d+$/, ""));
    expect(lines).toEqual(["deleted /p/n [1]", "childrenChanged /p [2]"]);
  });
});

describe("several watches", () => {
  it("of one connection on one znode are told of its deletion once, together", () => {
    const at = watching("/p", "/p/n");
    for (const id of [1, 2]) at.leave(getData("/p/n", id));
    at.leave(getChildren("/p/n", 3));
    at.leave(exists("/p/n", 4));
    at.leave(getChildren("/p", 5));
    expect(at.after(del("/p/n"))).toEqual(["deleted /p/n [1,2,4,3]", "childrenChanged /p [5]"]);
  });

  it("of two connections are told each", () => {
    const at = watching("/p");
    const other = at.world.connect();
    other.stream.read(1, getData("/p", 9), anyAge);
    other.sink.take();
    at.leave(getData("/p", 1));
    expect(at.after(setData("/p"))).toEqual(["dataChanged /p [1]"]);
    expect(other.sink.take()).toEqual([`dataChanged /p [9] @${at.world.replica.appliedZxid}`]);
  });

  it("of both tables on one path are apart: one fires, the other stays; one is removed, the other stays", () => {
    const at = watching("/p");
    at.leave(getData("/p", 1));
    at.leave(getChildren("/p", 2));
    at.leave(getData("/p", 3));
    at.stream.cancelWatch(50, 3);
    at.sink.take();
    expect(at.after(setData("/p"))).toEqual(["dataChanged /p [1]"]);
    expect(at.after(create("/p/a"))).toEqual(["childrenChanged /p [2]"]);
    expect(at.world.replica.watchCount).toBe(0);
  });

  it("consumed by one row of a transaction miss the next", () => {
    const at = watching("/p");
    at.leave(getChildren("/p", 1));
    const many: WriteRequest = { kind: "multi", operations: [create("/p/a"), create("/p/b"), setData("/p")] };
    expect(at.after(many)).toEqual(["childrenChanged /p [1]"]);
  });
});

describe("without READ", () => {
  it("a read leaves no watch", () => {
    const at = watching();
    at.world.do(create("/p", { acl: bobOnly }), bob);
    for (const request of [getData("/p", 1), exists("/p", 2), getChildren("/p", 3)]) at.leave(request);
    expect(at.world.replica.watchCount).toBe(0);
  });

  it("an event is withheld, and the watch is gone all the same", () => {
    const at = watching("/p");
    at.leave(getData("/p", 1));
    at.leave(getChildren("/p", 2));
    expect(at.after(setAcl("/p", bobOnly))).toEqual([]);
    expect(at.after(setData("/p"), bob)).toEqual([]);
    expect(at.world.replica.watchCount).toBe(1);
    expect(at.after(create("/p/a"), bob)).toEqual([]);
    expect(at.world.replica.watchCount).toBe(0);
  });

  it("of a created znode exists is not told; of a deleted one its last ACL decides", () => {
    const at = watching("/p");
    at.leave(exists("/p/n", 1));
    expect(at.after(create("/p/n", { acl: bobOnly }), bob)).toEqual([]);
    at.after(del("/p/n"));
    at.leave(exists("/p/n", 2));
    at.after(create("/p/n"));
    at.leave(getData("/p/n", 3));
    at.after(setAcl("/p/n", bobOnly));
    expect(at.after(del("/p/n"))).toEqual([]);
    expect(at.world.replica.watchCount).toBe(0);
  });

  it("of a child its parent's watchers are told that children changed", () => {
    const at = watching("/p");
    at.leave(getChildren("/p", 1));
    expect(at.after(create("/p/secret", { acl: bobOnly }), bob)).toEqual(["childrenChanged /p [1]"]);
  });
});

describe("the order", () => {
  it("is event before answer, of the own write and of every read that shows the change", () => {
    const at = watching("/p");
    at.stream.read(1, getData("/p", 11), anyAge);
    at.stream.write(2, setData("/p"), 1);
    at.stream.read(3, getChildren("/p", 12), anyAge);
    at.stream.write(4, create("/p/a"), 2);
    at.stream.read(5, exists("/p/a", 13), anyAge);
    at.stream.write(6, del("/p/a"), 3);
    at.world.settle();
    expect(at.sink.take()).toEqual([
      "1 ok @3",
      "dataChanged /p [11] @4",
      "2 ok @4",
      "3 ok @4",
      "childrenChanged /p [12] @5",
      "4 ok @5",
      "5 ok @5",
      "deleted /p/a [13] @6",
      "6 ok @6",
    ]);
  });

  it("of one row is the znode's watchers, then the parent's", () => {
    const at = watching("/p");
    at.leave(getChildren("/p", 1));
    at.leave(exists("/p/n", 2));
    expect(at.after(create("/p/n"))).toEqual(["created /p/n [2]", "childrenChanged /p [1]"]);
  });
});

describe("the root", () => {
  it("is watched like any other", () => {
    const at = watching();
    at.leave(getData("/", 1));
    at.leave(getChildren("/", 2));
    expect(at.after(create("/a"))).toEqual(["childrenChanged / [2]"]);
    expect(at.after(setData("/"))).toEqual(["dataChanged / [1]"]);
  });
});
