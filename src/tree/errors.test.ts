/** Of two faults at once, which one a caller hears: ZooKeeper's order of errors. */
import { describe, expect, it } from "vitest";
import {
  anyone,
  caller,
  checkExists,
  checkVersion,
  create,
  del,
  deleteSubtree,
  leaderWith,
  loadFrom,
  setAcl,
  setData,
  TreeLeader,
} from "../../test/support/tree-leader.ts";
import { parseAcl, type Acl } from "./acl.ts";
import type { Caller } from "./prepare.ts";
import type { MultiOperation, WriteRequest } from "./request.ts";
import { Tree } from "./tree.ts";

const bob = caller(7, "digest:bob:B");
const bobsAlone = acl("digest:bob:B:rwcda");
const everybodys = acl("world:anyone:rwcda");
const malformedAcl: Acl = [{ permissions: 31, scheme: "world", id: "everybody" }];
const tooMuch = new Uint8Array(1024 * 1024 + 1);

function acl(text: string): Acl {
  return parseAcl(text)!;
}

/**
 * `/open` and `/open/child` are everybody's, `/bobs` is bob's with a child that is everybody's, `/ephemeral` belongs to
 * session 7, `/ephemeral-bobs` as well and only bob may do anything with it.
 */
function world(): TreeLeader {
  const leader = new TreeLeader();
  leader.do(create("/open"));
  leader.do(create("/open/child"));
  leader.do(create("/bobs", { acl: bobsAlone }), bob);
  leader.do(create("/bobs/child", { acl: everybodys }), bob);
  leader.do(create("/bobs/parent", { acl: everybodys }), bob);
  leader.do(create("/bobs/parent/child"), bob);
  leader.do(create("/ephemeral", { mode: 2 }), bob);
  leader.do(create("/ephemeral-bobs", { mode: 2, acl: bobsAlone }), bob);
  return leader;
}

interface Case {
  readonly faults: string;
  /** A request with both faults, and what it must be told. */
  readonly both: WriteRequest;
  readonly first: string;
  /** The same with the second fault alone, to show that it is one. */
  readonly alone: WriteRequest;
  readonly second: string;
  readonly by?: Caller;
}

/** Runs a request in a fresh world; the reason with the field, where the refusal names one. */
function told(request: WriteRequest, by: Caller): string {
  const { refusal } = world().run(request, by);
  if (refusal === undefined) return "ok";
  const { field } = refusal.metadata;
  return field === undefined ? refusal.reason : `${refusal.reason} ${field}`;
}

function precedence(operation: string, cases: readonly Case[]): void {
  describe(`${operation}: the first of two faults wins`, () => {
    for (const { faults, both, first, alone, second, by = anyone } of cases) {
      it(faults, () => {
        expect(told(both, by)).toBe(first);
        expect(told(alone, by)).toBe(second);
      });
    }
  });
}

precedence("create", [
  {
    faults: "unknown mode before malformed path",
    both: create("relative", { mode: 9 }),
    first: "BAD_ARGUMENTS mode",
    alone: create("relative"),
    second: "BAD_ARGUMENTS path",
  },
  {
    faults: "malformed path before malformed ACL",
    both: create("/open/", { acl: malformedAcl }),
    first: "BAD_ARGUMENTS path",
    alone: create("/open/x", { acl: malformedAcl }),
    second: "INVALID_ACL",
  },
  {
    faults: "malformed ACL before too much data",
    both: create("/open/x", { acl: malformedAcl, data: tooMuch }),
    first: "INVALID_ACL",
    alone: create("/open/x", { data: tooMuch }),
    second: "DATA_TOO_LARGE",
  },
  {
    faults: "too much data before a missing session",
    both: create("/open/x", { mode: 2, data: tooMuch }),
    first: "DATA_TOO_LARGE",
    alone: create("/open/x", { mode: 2 }),
    second: "SESSION_REQUIRED",
  },
  {
    faults: "missing session before absent parent",
    both: create("/absent/x", { mode: 2 }),
    first: "SESSION_REQUIRED",
    alone: create("/absent/x"),
    second: "NO_NODE",
  },
  {
    faults: "malformed ACL before absent parent",
    both: create("/absent/x", { acl: malformedAcl }),
    first: "INVALID_ACL",
    alone: create("/absent/x"),
    second: "NO_NODE",
  },
  {
    faults: "absent parent, even where the grandparent grants nothing",
    both: create("/bobs/absent/x"),
    first: "NO_NODE",
    alone: create("/bobs/x"),
    second: "NO_AUTH",
  },
  {
    faults: "no CREATE on the parent before an existing znode",
    both: create("/bobs/child"),
    first: "NO_AUTH",
    alone: create("/open/child"),
    second: "NODE_EXISTS",
  },
  {
    faults: "no CREATE on the parent before an ephemeral parent",
    both: create("/ephemeral-bobs/x"),
    first: "NO_AUTH",
    alone: create("/ephemeral/x"),
    second: "NO_CHILDREN_FOR_EPHEMERALS",
  },
  {
    faults: "an ephemeral root, which exists anyway",
    both: create("/", { mode: 2 }),
    first: "SESSION_REQUIRED",
    alone: create("/"),
    second: "NODE_EXISTS",
  },
]);

it("create: no CREATE on the parent before a final path that is too long", () => {
  const longest = `/s/${"x".repeat(1011)}`;
  const leader = leaderWith("/s", { sequence: 10 ** 10 });
  expect(leader.outcome(create(longest, { mode: 3 }))).toBe("BAD_ARGUMENTS");
  leader.do(setAcl("/s", bobsAlone));
  expect(leader.outcome(create(longest, { mode: 3 }))).toBe("NO_AUTH");
});

it("create: an existing znode before an ephemeral parent", () => {
  const before = new TreeLeader();
  before.do(create("/p"));
  before.do(create("/p/child"));
  // Such a tree cannot come about; the order of the two checks is ZooKeeper's all the same.
  const tree = loadFrom(before.tree, new Tree(), (row) =>
    row.name === "p" ? { ...row, stat: { ...row.stat, owner: 7 } } : row,
  );
  const leader = new TreeLeader(tree);
  leader.zxid = before.zxid;
  expect(leader.outcome(create("/p/child"))).toBe("NODE_EXISTS");
  expect(leader.outcome(create("/p/other"))).toBe("NO_CHILDREN_FOR_EPHEMERALS");
});

precedence("delete", [
  {
    faults: "a znode from the start before a wrong version",
    both: del("/zookeeper/quota", 5),
    first: "BAD_ARGUMENTS path",
    alone: del("/open/child", 5),
    second: "BAD_VERSION",
  },
  {
    faults: "absent parent, even where the grandparent grants nothing",
    both: del("/bobs/absent/x"),
    first: "NO_NODE",
    alone: del("/bobs/x"),
    second: "NO_AUTH",
  },
  {
    faults: "no DELETE on the parent before an absent znode",
    both: del("/bobs/absent"),
    first: "NO_AUTH",
    alone: del("/open/absent"),
    second: "NO_NODE",
  },
  {
    faults: "no DELETE on the parent before a wrong version",
    both: del("/bobs/child", 5),
    first: "NO_AUTH",
    alone: del("/open/child", 5),
    second: "BAD_VERSION",
  },
  {
    faults: "wrong version before children",
    both: del("/open", 5),
    first: "BAD_VERSION",
    alone: del("/open", 0),
    second: "NOT_EMPTY",
  },
]);

it("delete: DELETE is needed on the parent, not on the znode", () => {
  const leader = world();
  expect(leader.outcome(del("/bobs/child"))).toBe("NO_AUTH");
  leader.do(del("/bobs/parent/child"));
  leader.do(del("/bobs/parent"), bob);
  leader.do(create("/open/bobs", { acl: bobsAlone }));
  expect(leader.outcome(del("/open/bobs"))).toBe("ok");
});

precedence("deleteSubtree", [
  {
    faults: "a znode from the start before everything",
    both: deleteSubtree("/zookeeper"),
    first: "BAD_ARGUMENTS path",
    alone: deleteSubtree("/zookeeper/absent"),
    second: "NO_NODE",
  },
  {
    faults: "absent parent, even where the grandparent grants nothing",
    both: deleteSubtree("/bobs/absent/x"),
    first: "NO_NODE",
    alone: deleteSubtree("/bobs/x"),
    second: "NO_AUTH",
  },
  {
    faults: "no DELETE on the parent before an absent znode",
    both: deleteSubtree("/bobs/absent"),
    first: "NO_AUTH",
    alone: deleteSubtree("/open/absent"),
    second: "NO_NODE",
  },
]);

it("deleteSubtree: needs DELETE on every znode that loses a child, and on no other", () => {
  const leader = world();
  leader.do(create("/open/middle"));
  leader.do(create("/open/middle/bobs", { acl: bobsAlone }));
  const inside = leader.run(create("/open/middle/bobs/leaf", { acl: bobsAlone }), bob);
  expect(inside.refusal).toBeUndefined();
  const refused = leader.run(deleteSubtree("/open/middle"));
  expect(refused.refusal).toMatchObject({ reason: "NO_AUTH", metadata: { path: "/open/middle/bobs" } });
  leader.do(del("/open/middle/bobs/leaf"), bob);
  expect(leader.outcome(deleteSubtree("/open/middle"))).toBe("ok");
});

precedence("setData", [
  {
    faults: "malformed path before too much data",
    both: setData("/open/.", tooMuch),
    first: "BAD_ARGUMENTS path",
    alone: setData("/open", tooMuch),
    second: "DATA_TOO_LARGE",
  },
  {
    faults: "too much data before an absent znode",
    both: setData("/absent", tooMuch),
    first: "DATA_TOO_LARGE",
    alone: setData("/absent"),
    second: "NO_NODE",
  },
  {
    faults: "absent znode, even where the parent grants nothing",
    both: setData("/bobs/absent", null, 5),
    first: "NO_NODE",
    alone: setData("/bobs"),
    second: "NO_AUTH",
  },
  {
    faults: "no WRITE before a wrong version",
    both: setData("/bobs", null, 5),
    first: "NO_AUTH",
    alone: setData("/open", null, 5),
    second: "BAD_VERSION",
  },
]);

precedence("setAcl", [
  {
    faults: "malformed path before malformed ACL",
    both: setAcl("/open/..", malformedAcl),
    first: "BAD_ARGUMENTS path",
    alone: setAcl("/open", malformedAcl),
    second: "INVALID_ACL",
  },
  {
    faults: "malformed ACL before an absent znode",
    both: setAcl("/absent", malformedAcl),
    first: "INVALID_ACL",
    alone: setAcl("/absent", everybodys),
    second: "NO_NODE",
  },
  {
    faults: "absent znode, even where the parent grants nothing",
    both: setAcl("/bobs/absent", everybodys),
    first: "NO_NODE",
    alone: setAcl("/bobs", everybodys),
    second: "NO_AUTH",
  },
  {
    faults: "no ADMIN before a wrong version",
    both: setAcl("/bobs", everybodys, 5),
    first: "NO_AUTH",
    alone: setAcl("/open", everybodys, 5),
    second: "BAD_VERSION",
  },
]);

function alone(operation: MultiOperation): WriteRequest {
  return { kind: "multi", operations: [operation] };
}

precedence("check", [
  {
    faults: "malformed path before an absent znode",
    both: alone(checkVersion("/absent/", 0)),
    first: "BAD_ARGUMENTS path",
    alone: alone(checkVersion("/absent", 0)),
    second: "NO_NODE",
  },
  {
    faults: "absent znode, even where the parent grants nothing",
    both: alone(checkVersion("/bobs/absent", 5)),
    first: "NO_NODE",
    alone: alone(checkVersion("/bobs", 0)),
    second: "NO_AUTH",
  },
  {
    faults: "no READ before a wrong version",
    both: alone(checkVersion("/bobs", 5)),
    first: "NO_AUTH",
    alone: alone(checkVersion("/open", 5)),
    second: "BAD_VERSION",
  },
  {
    faults: "no READ before a znode that should be absent",
    both: alone(checkExists("/bobs", false)),
    first: "NO_AUTH",
    alone: alone(checkExists("/open", false)),
    second: "NODE_EXISTS",
  },
]);

it("each permission is the one that its operation needs, and no other will do", () => {
  const needed: readonly (readonly [string, string, WriteRequest])[] = [
    ["c", "create", create("/p/new")],
    ["d", "delete", del("/p/child")],
    ["d", "deleteSubtree", deleteSubtree("/p/child")],
    ["w", "setData", setData("/p")],
    ["a", "setAcl", setAcl("/p", everybodys)],
    ["r", "check", alone(checkExists("/p", true))],
  ];
  for (const [letter, operation, request] of needed) {
    for (const granted of ["rwcda", letter, "rwcda".replace(letter, "")]) {
      const leader = new TreeLeader();
      leader.do(create("/p"));
      leader.do(create("/p/child"));
      leader.do(setAcl("/p", acl(`world:anyone:${granted}`)));
      const expected = granted.includes(letter) ? "ok" : "NO_AUTH";
      expect(`${operation} with ${granted}: ${leader.outcome(request)}`).toBe(
        `${operation} with ${granted}: ${expected}`,
      );
    }
  }
});

it("a refused write changes nothing, on the tree and in the pipeline", () => {
  const leader = world();
  const { digest } = leader.tree;
  const refused: WriteRequest[] = [
    create("/open/child"),
    create("/ephemeral/x"),
    del("/open"),
    del("/open/child", 3),
    setData("/open", null, 3),
    setAcl("/open", bobsAlone, 3),
    deleteSubtree("/bobs"),
    { kind: "multi", operations: [create("/open/new"), setData("/open"), del("/absent")] },
  ];
  for (const request of refused) {
    expect(leader.outcome(request)).not.toBe("ok");
    expect(leader.preparer.overlay.size).toBe(0);
  }
  expect(leader.tree.digest).toBe(digest);
  leader.do(create("/open/after"));
  leader.tree.verify();
});

it("a refusal says which versions met", () => {
  const { refusal } = world().run(setData("/open", null, 3));
  expect(refusal?.metadata).toEqual({ path: "/open", expected_version: "3", actual_version: "0" });
});
