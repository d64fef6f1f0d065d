/** What each operation does to the Stat of the znode it names and of that znode's parent. */
import { describe, expect, it } from "vitest";
import {
  caller,
  checkExists,
  checkVersion,
  create,
  del,
  deleteSubtree,
  leaderWith,
  setAcl,
  setData,
  TreeLeader,
} from "../../test/support/tree-leader.ts";
import { parseAcl } from "./acl.ts";
import { cversion, nextVersion, type Stat } from "./stat.ts";
import type { WriteRequest } from "./request.ts";

const readOnly = parseAcl("world:anyone:ra")!;

function family(): TreeLeader {
  const leader = new TreeLeader();
  leader.do(create("/parent"));
  leader.do(create("/parent/child", { data: new Uint8Array(5) }));
  return leader;
}

/** Runs a request; returns which fields of a znode's Stat changed, and to what. */
function changes(leader: TreeLeader, path: string, request: WriteRequest, by = caller(7)): Partial<Stat> {
  const before = { ...leader.stat(path) };
  leader.do(request, by);
  const after = leader.stat(path);
  const changed = Object.entries(after).filter(([field, value]) => before[field as keyof Stat] !== value);
  return Object.fromEntries(changed);
}

describe("create", () => {
  it("starts a Stat with its own zxid and time", () => {
    const leader = family();
    expect(leader.stat("/parent/child")).toEqual({
      czxid: 2,
      mzxid: 2,
      pzxid: 2,
      ctime: leader.time,
      mtime: leader.time,
      version: 0,
      aversion: 0,
      owner: 0,
      sequence: 0,
      children: 0,
      kind: 1,
      dataLength: 5,
    });
  });

  it("names the owner of an ephemeral znode", () => {
    const leader = family();
    leader.do(create("/parent/e", { mode: 2 }), caller(7));
    expect(leader.stat("/parent/e")).toMatchObject({ owner: 7, kind: 2 });
  });

  it("tells the parent, and nobody above it", () => {
    const leader = family();
    const parent = changes(leader, "/parent", create("/parent/second"));
    expect(parent).toEqual({ pzxid: 3, children: 2, sequence: 2 });
    expect(changes(leader, "/", create("/parent/third"))).toEqual({});
  });

  it("has no data length without data and with empty data, which stay different", () => {
    const leader = family();
    leader.do(create("/none"));
    leader.do(create("/empty", { data: new Uint8Array(0) }));
    expect([leader.stat("/none").dataLength, leader.stat("/empty").dataLength]).toEqual([0, 0]);
    expect(leader.tree.data(leader.tree.find("/none"))).toBeNull();
    expect(leader.tree.data(leader.tree.find("/empty"))).toEqual(new Uint8Array(0));
  });
});

describe("setData", () => {
  it("changes version, mzxid, mtime and length of its znode", () => {
    const leader = family();
    const changed = changes(leader, "/parent/child", setData("/parent/child", new Uint8Array(9), 0));
    expect(changed).toEqual({ mzxid: 3, mtime: leader.time, version: 1, dataLength: 9 });
  });

  it("leaves the parent alone", () => {
    expect(changes(family(), "/parent", setData("/parent/child", new Uint8Array(9)))).toEqual({});
  });

  it("counts a version also when the data stay the same", () => {
    const leader = family();
    leader.do(setData("/parent/child", new Uint8Array(5)));
    expect(leader.stat("/parent/child").version).toBe(1);
  });
});

describe("setAcl", () => {
  it("changes the ACL version and nothing else", () => {
    const leader = family();
    expect(changes(leader, "/parent/child", setAcl("/parent/child", readOnly, 0))).toEqual({ aversion: 1 });
    expect(changes(leader, "/parent", setAcl("/parent/child", readOnly, 1))).toEqual({});
  });
});

describe("delete", () => {
  it("tells the parent, whose counter of sequences stays", () => {
    const leader = family();
    expect(changes(leader, "/parent", del("/parent/child"))).toEqual({ pzxid: 3, children: 0 });
  });

  it("carries the last Stat in its row", () => {
    const leader = family();
    leader.do(setData("/parent/child", new Uint8Array(1)));
    const last = leader.stat("/parent/child");
    const [row] = leader.do(del("/parent/child"));
    expect(row!.stat).toEqual(last);
  });

  it("of an ephemeral znode at the end of its session tells the parent just so", () => {
    const leader = family();
    leader.do(create("/parent/e1", { mode: 2 }), caller(7));
    leader.do(create("/parent/e2", { mode: 2 }), caller(7));
    leader.endSession(7);
    expect(leader.stat("/parent")).toMatchObject({ pzxid: 5, children: 1, sequence: 3 });
  });
});

it("deleteSubtree tells the parent of the topmost znode once", () => {
  const leader = family();
  leader.do(create("/parent/child/grandchild"));
  expect(changes(leader, "/", deleteSubtree("/parent"))).toEqual({ pzxid: 4, children: 1 });
  expect(leader.exists("/parent/child/grandchild")).toBe(false);
});

it("a check changes nothing", () => {
  const leader = family();
  const check: WriteRequest = {
    kind: "multi",
    operations: [checkVersion("/parent", 0), checkExists("/x", false), checkExists("/parent/child", true)],
  };
  expect(changes(leader, "/parent", check)).toEqual({});
  expect(changes(leader, "/", check)).toEqual({});
});

it("a recreated znode starts afresh", () => {
  const leader = family();
  leader.do(setData("/parent/child"));
  leader.do(del("/parent/child"));
  leader.do(create("/parent/child"));
  expect(leader.stat("/parent/child")).toMatchObject({ czxid: 5, mzxid: 5, pzxid: 5, version: 0, sequence: 0 });
});

describe("the visible child version", () => {
  it("counts creations and deletions of children", () => {
    const leader = new TreeLeader();
    leader.do(create("/p"));
    let steps = 0;
    const expectSteps = (): void => expect(cversion(leader.stat("/p"))).toBe(steps);
    expectSteps();
    for (const name of ["a", "b", "c"]) {
      leader.do(create(`/p/${name}`));
      steps++;
      expectSteps();
    }
    leader.do(del("/p/b"));
    steps++;
    expectSteps();
    leader.do(create("/p/b"));
    steps++;
    expectSteps();
    leader.do(create("/p/e", { mode: 4 }), caller(7));
    leader.endSession(7);
    steps += 2;
    expectSteps();
    leader.do(create("/p/a/x"));
    leader.do(deleteSubtree("/p/a"));
    steps++;
    expectSteps();
    leader.do({ kind: "multi", operations: [create("/p/m"), del("/p/m"), create("/p/m")] });
    steps += 3;
    expectSteps();
    expect(leader.outcome(create("/p/m"))).toBe("NODE_EXISTS");
    expectSteps();
  });

  it("is the number of children that exist from the start, for those znodes", () => {
    const leader = new TreeLeader();
    expect(cversion(leader.stat("/"))).toBe(1);
    expect(cversion(leader.stat("/zookeeper"))).toBe(2);
  });

  it("wraps at 2^31", () => {
    const leader = leaderWith("/p", { sequence: 2 ** 30 });
    leader.do(create("/p/a"));
    // 2^30 created and deleted before, and one created now.
    expect(cversion(leader.stat("/p"))).toBe(-(2 ** 31) + 1);
  });
});

describe("versions", () => {
  it("wrap from the largest to the smallest number", () => {
    const leader = leaderWith("/p", { version: 2147483647, aversion: 2147483647 });
    leader.do(setData("/p", null, 2147483647));
    leader.do(setAcl("/p", readOnly, 2147483647));
    expect(leader.stat("/p")).toMatchObject({ version: -2147483648, aversion: -2147483648 });
  });

  it("skip -1, which old clients send for any version", () => {
    const leader = leaderWith("/p", { version: -2, aversion: -2 });
    leader.do(setData("/p", null, -2));
    leader.do(setAcl("/p", readOnly, -2));
    expect(leader.stat("/p")).toMatchObject({ version: 0, aversion: 0 });
    expect(nextVersion(-3)).toBe(-2);
  });

  it("of -1 never match: leaving the version out is what makes a write unconditional", () => {
    const leader = family();
    expect(leader.outcome(setData("/parent", null, -1))).toBe("BAD_VERSION");
    expect(leader.outcome(del("/parent/child", -1))).toBe("BAD_VERSION");
    expect(leader.outcome(setAcl("/parent", readOnly, -1))).toBe("BAD_VERSION");
  });

  it("of data and ACL are separate", () => {
    const leader = family();
    leader.do(setData("/parent"));
    leader.do(setAcl("/parent", parseAcl("world:anyone:rwcda")!, 0));
    expect(leader.stat("/parent")).toMatchObject({ version: 1, aversion: 1 });
    expect(leader.outcome(setAcl("/parent", readOnly, 0))).toBe("BAD_VERSION");
  });
});

it("counts descendants of every ancestor", () => {
  const leader = new TreeLeader();
  for (const path of ["/a", "/a/b", "/a/b/c", "/a/b/d"]) leader.do(create(path));
  const counts = (): number[] =>
    ["/", "/a", "/a/b"].map((path) => leader.tree.descendants(Math.max(0, leader.tree.find(path))));
  expect(counts()).toEqual([7, 3, 2]);
  leader.do(del("/a/b/c"));
  expect(counts()).toEqual([6, 2, 1]);
  leader.do(deleteSubtree("/a/b"));
  expect(counts().slice(0, 2)).toEqual([4, 0]);
});
