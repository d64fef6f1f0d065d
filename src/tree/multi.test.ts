/** Several writes as one transaction. */
import { describe, expect, it } from "vitest";
import {
  anyone,
  caller,
  checkExists,
  checkVersion,
  create,
  del,
  setAcl,
  setData,
  TreeLeader,
} from "../../test/support/tree-leader.ts";
import { parseAcl } from "./acl.ts";
import type { Caller } from "./prepare.ts";
import type { MultiOperation, MultiRequest } from "./request.ts";
import { OpKind } from "./txn.ts";

const bob = caller(7, "digest:bob:B");
const bobsAcl = parseAcl("digest:bob:B:rwcda")!;
const openAcl = parseAcl("world:anyone:rwcda")!;

function multi(...operations: MultiOperation[]): MultiRequest {
  return { kind: "multi", operations };
}

function family(): TreeLeader {
  const leader = new TreeLeader();
  leader.do(create("/a"));
  leader.do(create("/a/b", { data: new Uint8Array(3) }));
  leader.do(create("/c"));
  return leader;
}

/** One of each kind, all of which succeed on a `family` in this order. */
const allKinds: readonly MultiOperation[] = [
  create("/a/new", { data: new Uint8Array(2), acl: bobsAcl }),
  create("/a/s-", { mode: 3 }),
  create("/a/e-", { mode: 4 }),
  setData("/a/b", new Uint8Array(8), 0),
  checkVersion("/a/b", 1),
  setAcl("/a", bobsAcl, 0),
  del("/a/b", 1),
  checkExists("/a/b", false),
];

it("gives one zxid and one time to all its operations", () => {
  const leader = family();
  const ops = leader.do(multi(...allKinds), bob);
  expect(ops.map((op) => op.kind)).toEqual([
    OpKind.create,
    OpKind.create,
    OpKind.create,
    OpKind.setData,
    OpKind.check,
    OpKind.setAcl,
    OpKind.delete,
    OpKind.check,
  ]);
  expect(leader.stat("/a")).toMatchObject({ pzxid: 4, children: 3, sequence: 4, aversion: 1 });
  expect(leader.stat("/a/new")).toMatchObject({ czxid: 4, ctime: leader.time });
  expect(leader.stat("/a/s-0000000002")).toMatchObject({ czxid: 4, ctime: leader.time });
  leader.tree.verify();
});

describe("all or nothing: a failure takes back what came before it", () => {
  for (let at = 0; at <= allKinds.length; at++) {
    it(`at position ${at}`, () => {
      const leader = family();
      const { digest, nextId } = leader.tree;
      const acls = leader.tree.acls.nextId;
      const operations = [...allKinds.slice(0, at), del("/absent"), ...allKinds.slice(at)];
      const { refusal } = leader.run(multi(...operations), bob);
      expect(refusal).toMatchObject({ reason: "NO_NODE", metadata: { path: "/absent", operation: String(at) } });
      expect(leader.preparer.overlay.size).toBe(0);
      expect([leader.tree.digest, leader.tree.nextId, leader.tree.acls.nextId]).toEqual([digest, nextId, acls]);
      // Numbers of znodes, ACLs and sequences were given back: the same without the fault succeeds.
      leader.do(multi(...allKinds), bob);
      expect(leader.exists("/a/s-0000000002")).toBe(true);
      leader.tree.verify();
    });
  }

  it("while the transactions before it still wait for their commit", () => {
    const leader = family();
    leader.propose(create("/a/waiting", { acl: bobsAcl }), bob);
    leader.propose(setData("/a/b", new Uint8Array(1)));
    expect(leader.propose(multi(...allKinds, del("/absent")), bob).refusal?.reason).toBe("BAD_VERSION");
    expect(leader.propose(setData("/a/b", new Uint8Array(1), 1)).refusal).toBeUndefined();
    expect(leader.propose(create("/a/s-", { mode: 3 })).ops![0]!.path).toBe("/a/s-0000000002");
    leader.apply();
    expect(leader.children("/a")).toEqual(["b", "s-0000000002", "waiting"]);
    expect(leader.stat("/a/b").version).toBe(2);
    leader.tree.verify();
  });
});

describe("each operation sees those before it", () => {
  const cases: readonly (readonly [string, MultiRequest, string])[] = [
    ["create, then a child", multi(create("/x"), create("/x/y")), "ok"],
    ["create, then delete", multi(create("/x"), del("/x", 0)), "ok"],
    ["delete, then create again", multi(del("/c"), create("/c"), checkVersion("/c", 0)), "ok"],
    ["delete the child, then the parent", multi(del("/a/b"), del("/a")), "ok"],
    ["set data twice", multi(setData("/c", null, 0), setData("/c", null, 1), checkVersion("/c", 2)), "ok"],
    ["create what a check found absent", multi(checkExists("/x", false), create("/x"), checkExists("/x", true)), "ok"],
    ["delete a parent that just got a child", multi(create("/c/x"), del("/c")), "NOT_EMPTY"],
    ["a child of what was just deleted", multi(del("/c"), create("/c/x")), "NO_NODE"],
    ["create twice", multi(create("/x"), create("/x")), "NODE_EXISTS"],
    ["a version that was right before", multi(setData("/c"), setData("/c", null, 0)), "BAD_VERSION"],
    [
      "a child of an ephemeral just created",
      multi(create("/x", { mode: 2 }), create("/x/y")),
      "NO_CHILDREN_FOR_EPHEMERALS",
    ],
    ["a permission just taken away", multi(setAcl("/c", parseAcl("world:anyone:ra")!), setData("/c")), "NO_AUTH"],
    ["a permission just given", multi(setAcl("/c", bobsAcl), setAcl("/c", openAcl), setData("/c")), "ok"],
  ];
  for (const [name, request, expected] of cases) {
    it(name, () => {
      const leader = family();
      expect(leader.outcome(request, bob)).toBe(expected);
      leader.tree.verify();
    });
  }
});

it("of checks alone changes nothing and answers all of them", () => {
  const leader = family();
  const { digest } = leader.tree;
  const ops = leader.do(multi(checkVersion("/a", 0), checkExists("/a/b", true), checkExists("/x", false)));
  expect(ops.map((op) => op.kind)).toEqual([OpKind.check, OpKind.check, OpKind.check]);
  expect(leader.tree.digest).toBe(digest);
});

it("names the first operation that fails", () => {
  const leader = family();
  const failing = multi(checkExists("/a", true), checkVersion("/a", 9), del("/absent"));
  expect(leader.run(failing).refusal).toMatchObject({ reason: "BAD_VERSION", metadata: { operation: "1" } });
});

it("checks the form of all operations before the state of any", () => {
  const leader = family();
  const { refusal } = leader.run(multi(del("/absent"), create("relative")));
  expect(refusal).toMatchObject({ reason: "BAD_ARGUMENTS", metadata: { operation: "1" } });
  expect(leader.zxid).toBe(3);
});

it("of nothing is refused", () => {
  expect(family().outcome(multi())).toBe("BAD_ARGUMENTS");
});

it("numbers several sequential children one after the other", () => {
  const leader = family();
  const ops = leader.do(multi(create("/c/n", { mode: 3 }), create("/c/plain"), create("/c/n", { mode: 3 })));
  expect(ops.map((op) => op.path)).toEqual(["/c/n0000000000", "/c/plain", "/c/n0000000002"]);
});

it("has its rows in the order of its operations, for a recreated znode too", () => {
  const leader = family();
  const before = leader.tree.id(leader.tree.find("/c"));
  const [deleted, created] = leader.do(multi(del("/c"), create("/c")));
  expect(deleted).toMatchObject({ kind: OpKind.delete, path: "/c", znode: before });
  expect(created).toMatchObject({ kind: OpKind.create, path: "/c", prevZxid: 0 });
  expect(created!.znode).toBeGreaterThan(before);
});

it("gives a new ACL its number once, in the row that needs it first", () => {
  const leader = family();
  const rows = leader.do(multi(create("/x", { acl: bobsAcl }), create("/y", { acl: bobsAcl }), setAcl("/c", bobsAcl)));
  expect(rows.map((row) => [row.acl, row.newAcl])).toEqual([
    [3, "digest:bob:B:rwcda"],
    [3, ""],
    [3, ""],
  ]);
});

it("is judged by the identities of its caller", () => {
  const leader = new TreeLeader();
  leader.do(create("/bobs", { acl: bobsAcl }), bob);
  const request = multi(create("/x"), setData("/bobs"));
  const outcomes = [anyone, caller(8, "digest:alice:A"), bob].map((by: Caller) => leader.outcome(request, by));
  expect(outcomes).toEqual(["NO_AUTH", "NO_AUTH", "ok"]);
});
