/** Walks over the tree, and going on where one stopped. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { create, deleteSubtree, TreeLeader } from "../../test/support/tree-leader.ts";
import { compareWalkOrder, isAtOrBelow } from "./path.ts";

function treeOf(paths: readonly string[]): TreeLeader {
  const leader = new TreeLeader();
  for (const path of paths) {
    for (let at = path.indexOf("/", 1); ; at = path.indexOf("/", at + 1)) {
      const prefix = at < 0 ? path : path.slice(0, at);
      if (!leader.exists(prefix)) leader.do(create(prefix));
      if (at < 0) break;
    }
  }
  return leader;
}

function walked(leader: TreeLeader, root: string, after?: string, most = Infinity): string[] {
  const paths: string[] = [];
  leader.tree.walk(root, after, (slot, path) => {
    expect(leader.tree.path(slot)).toBe(path);
    return paths.push(path) < most ? "descend" : "stop";
  });
  return paths;
}

const name = fc.constantFrom("a", "b", "a!", "a-", "ab", "é", "0");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((elements) => `/${elements.join("/")}`);
const paths = fc.array(path, { maxLength: 25 });

describe("a walk", () => {
  it("visits exactly the znodes at and below its root, in walk order", () => {
    fc.assert(
      fc.property(paths, path, (made, root) => {
        const leader = treeOf(made);
        const all = leader.tree.slots().map((slot) => leader.tree.path(slot));
        expect(all).toHaveLength(leader.tree.count);
        expect(all).toEqual([...all].sort(compareWalkOrder));
        const below = leader.exists(root) ? all.filter((each) => isAtOrBelow(each, root)) : [];
        expect(walked(leader, root)).toEqual(below);
      }),
      { numRuns: 300 },
    );
  });

  it("goes on after any path, also one that never was or is gone with all its parents", () => {
    fc.assert(
      fc.property(paths, fc.oneof(fc.constant("/"), path), path, fc.option(path), (made, root, after, gone) => {
        const leader = treeOf(made);
        if (gone !== null && leader.exists(gone)) leader.do(deleteSubtree(gone));
        const rest = walked(leader, root).filter((each) => compareWalkOrder(each, after) > 0);
        expect(walked(leader, root, after)).toEqual(isAtOrBelow(after, root) ? rest : []);
      }),
      { numRuns: 600 },
    );
  });

  it("in pieces meets what a walk in one piece meets", () => {
    fc.assert(
      fc.property(paths, fc.integer({ min: 1, max: 5 }), (made, size) => {
        const leader = treeOf(made);
        const pieces: string[] = [];
        let after: string | undefined;
        for (;;) {
          const piece = walked(leader, "/", after, size);
          pieces.push(...piece);
          after = piece.at(-1);
          if (piece.length < size) break;
        }
        expect(pieces).toEqual(walked(leader, "/"));
      }),
      { numRuns: 200 },
    );
  });

  it("leaves out what lies below a znode it skips", () => {
    const leader = treeOf(["/a/b/c", "/a/d", "/e"]);
    const seen: string[] = [];
    leader.tree.walk("/", undefined, (_, each) => {
      seen.push(each);
      return each === "/a/b" || each === "/zookeeper" ? "skip" : "descend";
    });
    expect(seen).toEqual(["/", "/a", "/a/b", "/a/d", "/e", "/zookeeper"]);
  });

  it("that skips its root visits nothing else", () => {
    const leader = treeOf(["/a/b", "/c"]);
    const seen: string[] = [];
    leader.tree.walk("/a", undefined, (_, each) => {
      seen.push(each);
      return "skip";
    });
    expect(seen).toEqual(["/a"]);
  });

  it("from a znode that does not exist is empty", () => {
    expect(walked(treeOf(["/a"]), "/x")).toEqual([]);
    expect(walked(treeOf(["/a"]), "/x", "/x/y")).toEqual([]);
  });
});
