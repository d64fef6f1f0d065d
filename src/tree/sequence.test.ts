/** Names of sequential znodes. */
import { expect, it } from "vitest";
import { caller, create, del, leaderWith, setAcl, TreeLeader } from "../../test/support/tree-leader.ts";
import { parseAcl } from "./acl.ts";

const sequential = 3;
const ephemeralSequential = 4;

function parent(): TreeLeader {
  const leader = new TreeLeader();
  leader.do(create("/p"));
  return leader;
}

function made(leader: TreeLeader, path: string, mode = sequential): string {
  return leader.do(create(path, { mode }), caller(7))[0]!.path;
}

it("one counter serves all prefixes and both sequential modes", () => {
  const leader = parent();
  expect(made(leader, "/p/a-")).toBe("/p/a-0000000000");
  expect(made(leader, "/p/b-")).toBe("/p/b-0000000001");
  expect(made(leader, "/p/a-", ephemeralSequential)).toBe("/p/a-0000000002");
});

it("children created without a number advance it", () => {
  const leader = parent();
  leader.do(create("/p/x"));
  leader.do(create("/p/y", { mode: 2 }), caller(7));
  expect(made(leader, "/p/a-")).toBe("/p/a-0000000002");
});

it("deletions do not advance it and do not give numbers back", () => {
  const leader = parent();
  leader.do(del(made(leader, "/p/a-")));
  leader.do(del(made(leader, "/p/a-")));
  expect(made(leader, "/p/a-")).toBe("/p/a-0000000002");
});

it("failed creates do not advance it", () => {
  const leader = parent();
  leader.do(create("/p/x"));
  expect(leader.outcome(create("/p/x"))).toBe("NODE_EXISTS");
  expect(leader.outcome(create("/p/e", { mode: 2 }))).toBe("SESSION_REQUIRED");
  const operations = [create("/p/a-", { mode: sequential }), create("/absent/x")];
  expect(leader.outcome({ kind: "multi", operations })).toBe("NO_NODE");
  leader.do(setAcl("/p", parseAcl("world:anyone:ra")!));
  expect(leader.outcome(create("/p/a-", { mode: sequential }))).toBe("NO_AUTH");
  leader.do(setAcl("/p", parseAcl("world:anyone:rwcda")!));
  expect(made(leader, "/p/a-")).toBe("/p/a-0000000001");
});

it("a parent that is deleted and created again starts from zero", () => {
  const leader = parent();
  leader.do(del(made(leader, "/p/a-")));
  leader.do(del("/p"));
  leader.do(create("/p"));
  expect(made(leader, "/p/a-")).toBe("/p/a-0000000000");
});

it("a path that ends in / gives a name that is the number alone", () => {
  const leader = parent();
  expect(made(leader, "/p/")).toBe("/p/0000000000");
  // The root has one child from the start.
  leader.do(del("/p/0000000000"));
  expect(made(leader, "/")).toBe("/0000000002");
  expect(leader.outcome(create("/p//", { mode: sequential }))).toBe("BAD_ARGUMENTS");
  expect(leader.outcome(create("/p/"))).toBe("BAD_ARGUMENTS");
});

it("the rules for paths hold for the final name, not for the prefix", () => {
  const leader = parent();
  expect(made(leader, "/p/.")).toBe("/p/.0000000000");
  expect(made(leader, "/p/..")).toBe("/p/..0000000001");
});

it("a number that is taken is NODE_EXISTS and stays the next one", () => {
  const leader = parent();
  leader.do(create("/p/a-0000000002"));
  made(leader, "/p/a-");
  expect(leader.outcome(create("/p/a-", { mode: sequential }))).toBe("NODE_EXISTS");
  expect(leader.outcome(create("/p/a-", { mode: sequential }))).toBe("NODE_EXISTS");
  expect(made(leader, "/p/b-")).toBe("/p/b-0000000002");
});

it("numbers go on beyond 2^31 and beyond ten digits, exactly", () => {
  const around = (first: number): string[] => {
    const leader = leaderWith("/p", { sequence: first });
    return [made(leader, "/p/n"), made(leader, "/p/n")];
  };
  expect(around(2147483647)).toEqual(["/p/n2147483647", "/p/n2147483648"]);
  expect(around(4294967295)).toEqual(["/p/n4294967295", "/p/n4294967296"]);
  expect(around(9999999999)).toEqual(["/p/n9999999999", "/p/n10000000000"]);
  expect(around(Number.MAX_SAFE_INTEGER - 2)).toEqual(["/p/n9007199254740989", "/p/n9007199254740990"]);
});

it("writes that wait for their commit count as well", () => {
  const leader = parent();
  const paths = [1, 2, 3].map(() => leader.propose(create("/p/a-", { mode: sequential })).ops![0]!.path);
  expect(paths).toEqual(["/p/a-0000000000", "/p/a-0000000001", "/p/a-0000000002"]);
  leader.apply();
  expect(leader.children("/p")).toEqual(["a-0000000000", "a-0000000001", "a-0000000002"]);
  expect(leader.stat("/p").sequence).toBe(3);
});
