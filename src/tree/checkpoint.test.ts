/** A tree that is loaded from its own rows. */
import { expect, it } from "vitest";
import { caller, create, del, loadFrom, rowsOf, setAcl, setData, TreeLeader } from "../../test/support/tree-leader.ts";
import { parseAcl } from "./acl.ts";
import { Tree } from "./tree.ts";

function busyTree(): TreeLeader {
  const leader = new TreeLeader();
  const bobs = parseAcl("digest:bob:B:rwcda")!;
  for (let i = 0; i < 40; i++) {
    leader.do(create(`/d${i}`, { data: new Uint8Array(i * 5) }));
    for (let j = 0; j < 5; j++) leader.do(create(`/d${i}/n-`, { mode: j === 4 ? 4 : 3, data: null }), caller(7));
  }
  // Slots of deleted znodes are reused, so that the order of slots is not the order of ids.
  for (let i = 0; i < 40; i += 3) leader.do(del(`/d${i}/n-0000000001`));
  for (let i = 0; i < 30; i++) leader.do(create(`/late${i}`));
  for (let i = 0; i < 30; i++) leader.do(create(`/late${i}/child`, { data: new Uint8Array(70_000) }));
  leader.do(setAcl("/late1", bobs));
  leader.do(setData("/late2", new Uint8Array(0)));
  return leader;
}

it("has the same digest, counts and content, and goes on like the first", () => {
  const leader = busyTree();
  const loaded = loadFrom(leader.tree, new Tree());
  loaded.verify();
  const { digest, count, dataBytes, ephemeralCount, nextId } = leader.tree;
  expect(loaded).toMatchObject({ digest, count, dataBytes, ephemeralCount, nextId });
  expect(loaded.acls.rows()).toEqual(leader.tree.acls.rows());
  expect(rowsOf(loaded)).toEqual(rowsOf(leader.tree));
  expect(loaded.ephemeralsOf(7).size).toBe(40);

  const restarted = new TreeLeader(loaded);
  restarted.zxid = leader.zxid;
  for (const each of [leader, restarted]) {
    each.do(create("/after", { acl: parseAcl("digest:alice:A:r")! }));
    each.do(create("/d1/n-", { mode: 3 }));
    each.endSession(7);
  }
  expect(loaded.digest).toBe(leader.tree.digest);
  loaded.verify();
});

it("without the parent of a znode is refused", () => {
  const leader = busyTree();
  const tree = new Tree();
  const load = (): void => {
    for (const row of rowsOf(leader.tree)) if (row.name !== "d2") tree.load({ ...row, acl: 1 });
  };
  expect(load).toThrow("without its parent");
});

it("verify notices what it is there to notice", () => {
  const damages: readonly (readonly [string, (tree: Tree) => void])[] = [
    ["number of znodes", (tree) => tree.count++],
    ["length of all data", (tree) => tree.dataBytes++],
    ["number of ephemeral", (tree) => tree.ephemeralCount--],
  ];
  for (const [message, damage] of damages) {
    const { tree } = busyTree();
    tree.verify();
    damage(tree);
    expect(() => tree.verify()).toThrow(message);
  }
});
