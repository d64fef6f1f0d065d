/** Ephemeral znodes and the end of their sessions. */
import { expect, it } from "vitest";
import { caller, create, del, deleteSubtree, TreeLeader } from "../../test/support/tree-leader.ts";
import { Cause } from "./txn.ts";

const ephemeral = 2;

function owned(leader: TreeLeader, session: number): string[] {
  return [...leader.tree.ephemeralsOf(session)].map((slot) => leader.tree.path(slot)).sort();
}

it("go with their session, in the byte order of their paths, and no others", () => {
  const leader = new TreeLeader();
  leader.do(create("/p"));
  for (const path of ["/p/b", "/a", "/p/é", "/p/a"]) leader.do(create(path, { mode: ephemeral }), caller(7));
  leader.do(create("/other", { mode: ephemeral }), caller(8));
  expect(owned(leader, 7)).toEqual(["/a", "/p/a", "/p/b", "/p/é"]);
  const rows = leader.endSession(7);
  expect(rows.map((row) => row.path)).toEqual(["/a", "/p/a", "/p/b", "/p/é"]);
  expect([owned(leader, 7), owned(leader, 8)]).toEqual([[], ["/other"]]);
  expect(leader.children("/p")).toEqual([]);
  leader.tree.verify();
});

it("that wait for their commit when the session ends go as well; those about to be deleted are not named twice", () => {
  const leader = new TreeLeader();
  leader.do(create("/committed", { mode: ephemeral }), caller(7));
  leader.do(create("/deleted", { mode: ephemeral }), caller(7));
  leader.propose(create("/waiting", { mode: ephemeral }), caller(7));
  leader.propose(del("/deleted"));
  leader.propose(create("/deleted", { mode: ephemeral }), caller(8));
  expect(leader.endSession(7).map((row) => row.path)).toEqual(["/committed", "/waiting"]);
  expect(owned(leader, 8)).toEqual(["/deleted"]);
  leader.tree.verify();
});

it("say whether their session was closed or expired", () => {
  for (const [expired, cause] of [
    [false, Cause.sessionClosed],
    [true, Cause.sessionExpired],
  ] as const) {
    const leader = new TreeLeader();
    leader.do(create("/e", { mode: ephemeral }), caller(7));
    expect(leader.endSession(7, expired)[0]).toMatchObject({ path: "/e", cause });
  }
});

it("can be deleted by others, and by deleteSubtree", () => {
  const leader = new TreeLeader();
  leader.do(create("/p"));
  leader.do(create("/p/e1", { mode: ephemeral }), caller(7));
  leader.do(create("/p/e2", { mode: ephemeral }), caller(7));
  leader.do(del("/p/e1"), caller(8));
  leader.do(deleteSubtree("/p"), caller(8));
  expect(leader.tree.ephemeralCount).toBe(0);
  expect(leader.endSession(7)).toEqual([]);
});

it("do not come back to a session whose path somebody else took", () => {
  const leader = new TreeLeader();
  leader.do(create("/e", { mode: ephemeral }), caller(7));
  leader.do({ kind: "multi", operations: [del("/e"), create("/e")] }, caller(8));
  expect(leader.endSession(7)).toEqual([]);
  expect(leader.stat("/e")).toMatchObject({ owner: 0, kind: 1 });
});
