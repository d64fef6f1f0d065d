/** A tree that is loaded from its own rows. */
import { expect, it } from "vitest";
import {
  adoptFrom,
  caller,
  create,
  del,
  loadFrom,
  rowsOf,
  setAcl,
  setData,
  TreeLeader,
} from "../../test/support/tree-leader.ts";
import { parseAcl } from "./acl.ts";
import { Tree } from "./tree.ts";
import { ZnodeChunkPacker, znodesPerChunk } from "./znode-chunk.ts";

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

const ways: readonly (readonly [string, (from: Tree) => Tree])[] = [
  ["row by row", (from) => loadFrom(from, new Tree())],
  ["in one chunk", (from) => adoptFrom(from, Tree.forLoading(from.count))],
  ["in small chunks", (from) => adoptFrom(from, new Tree(), 9)],
];
for (const [way, load] of ways) {
  it(`${way}: has the same digest, counts and content, and goes on like the first`, () => {
    const leader = busyTree();
    const loaded = load(leader.tree);
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
      // Data that was loaded is replaced in place, by more, by less and by nothing.
      for (let i = 0; i < 30; i++) each.do(setData(`/d${i}`, i % 4 === 0 ? null : new Uint8Array(i * 7).fill(i)));
      for (let i = 0; i < 30; i++)
        each.do(setData(`/late${i}/child`, new Uint8Array(i % 2 === 0 ? 70_001 : 10).fill(i)));
      each.endSession(7);
      for (let i = 0; i < 60; i++) each.do(create(`/new${i}`, { data: new Uint8Array(i).fill(i) }));
    }
    expect(loaded.digest).toBe(leader.tree.digest);
    expect(rowsOf(loaded)).toEqual(rowsOf(leader.tree));
    loaded.verify();
  });
}

it("a chunk holds as many znodes as the table has slots in one, and no more", () => {
  const packer = new ZnodeChunkPacker();
  const [root] = rowsOf(Tree.initial());
  for (let i = 0; i < znodesPerChunk; i++) packer.add({ ...root!, id: i + 1 }, i);
  expect(() => packer.add(root!, 0)).toThrow("full");
});

it("a large tree loads in full chunks", () => {
  const leader = new TreeLeader();
  for (let i = 0; i < 20; i++) {
    leader.do(create(`/d${i}`));
    const operations = Array.from({ length: 999 }, (_, j) =>
      create(`/d${i}/n${j}`, {
        data: j % 3 === 0 ? null : new Uint8Array((j % 100) + 1).fill(j),
        mode: j % 50 === 0 ? 2 : 1,
      }),
    );
    leader.do({ kind: "multi", operations }, caller(7));
  }
  const loaded = adoptFrom(leader.tree, Tree.forLoading(leader.tree.count));
  loaded.verify();
  expect(loaded.count).toBeGreaterThan(2 * znodesPerChunk);
  expect(rowsOf(loaded)).toEqual(rowsOf(leader.tree));
  const restarted = new TreeLeader(loaded);
  restarted.zxid = leader.zxid;
  for (const each of [leader, restarted]) {
    for (let i = 0; i < 20; i += 2) each.do({ kind: "deleteSubtree", path: `/d${i}` });
    each.endSession(7);
    for (let i = 0; i < 500; i++) each.do(create(`/after${i}`, { data: new Uint8Array(i) }));
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
