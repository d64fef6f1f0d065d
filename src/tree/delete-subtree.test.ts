/** Deleting a znode with everything below it. */
import { expect, it } from "vitest";
import { caller, create, del, deleteSubtree, setData, TreeLeader } from "../../test/support/tree-leader.ts";
import { OpKind } from "./txn.ts";

function treeOf(...paths: string[]): TreeLeader {
  const leader = new TreeLeader();
  for (const path of paths) leader.do(create(path));
  return leader;
}

it("has one row for each znode, in the reverse order of a walk: children before parents", () => {
  const leader = treeOf("/p", "/p/a", "/p/a/x", "/p/a!", "/p/b", "/other");
  const rows = leader.do(deleteSubtree("/p"));
  expect(rows.map((row) => row.path)).toEqual(["/p/b", "/p/a!", "/p/a/x", "/p/a", "/p"]);
  expect(rows.every((row) => row.kind === OpKind.delete)).toBe(true);
  expect(leader.children("/")).toEqual(["other", "zookeeper"]);
  leader.tree.verify();
});

it("of a znode without children is a delete", () => {
  const leader = treeOf("/p");
  expect(leader.do(deleteSubtree("/p"))).toHaveLength(1);
  expect(leader.exists("/p")).toBe(false);
});

it("does not touch a sibling whose name begins the same", () => {
  const leader = treeOf("/p", "/p/x", "/pq", "/p!");
  leader.do(deleteSubtree("/p"));
  expect(leader.children("/")).toEqual(["p!", "pq", "zookeeper"]);
});

it("takes what waits for its commit, and leaves what is about to go", () => {
  const leader = treeOf("/p", "/p/stays", "/p/goes", "/p/changes");
  leader.propose(create("/p/comes"));
  leader.propose(create("/p/comes/below"));
  leader.propose(del("/p/goes"));
  leader.propose({ kind: "multi", operations: [del("/p/changes"), create("/p/changes")] });
  leader.propose(setData("/p/stays"));
  const rows = leader.propose(deleteSubtree("/p")).ops!;
  expect(rows.map((row) => row.path)).toEqual(["/p/stays", "/p/comes/below", "/p/comes", "/p/changes", "/p"]);
  expect(leader.propose(create("/p/late")).refusal?.reason).toBe("NO_NODE");
  leader.apply();
  expect(leader.tree.count).toBe(4);
  leader.tree.verify();
});

it("takes a subtree that waits for its commit as a whole, and one created again", () => {
  const leader = treeOf("/old", "/old/x");
  leader.propose(create("/new"));
  leader.propose(create("/new/y"));
  leader.propose(deleteSubtree("/old"));
  leader.propose(create("/old"));
  leader.propose(create("/old/z"));
  expect(leader.propose(deleteSubtree("/new")).ops).toHaveLength(2);
  expect(leader.propose(deleteSubtree("/old")).ops!.map((row) => row.path)).toEqual(["/old/z", "/old"]);
  leader.apply();
  expect(leader.tree.count).toBe(4);
  leader.tree.verify();
});

it("takes ephemeral znodes of any session", () => {
  const leader = treeOf("/p");
  leader.do(create("/p/e", { mode: 2 }), caller(7));
  expect(leader.do(deleteSubtree("/p"), caller(8))).toHaveLength(2);
  expect(leader.endSession(7)).toEqual([]);
});
