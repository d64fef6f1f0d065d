import fc from "fast-check";
import { expect, it } from "vitest";
import { hashPath, PathIndex } from "./path-index.ts";
import { NameTable } from "./name-table.ts";
import { childPath } from "./path.ts";
import { Narrow, ZnodeTable } from "./znode-table.ts";

/** An index beside a map from path to slot. */
class Twins {
  readonly table = new ZnodeTable();
  readonly names = new NameTable();
  readonly index = new PathIndex(this.table, this.names);
  readonly slots = new Map<string, number>([["/", this.table.allocate()]]);

  insert(parent: string, name: string): void {
    const slot = this.table.allocate();
    const path = childPath(parent, name);
    this.names.set(slot, name);
    this.table.setNarrow(slot, Narrow.parent, this.slots.get(parent)!);
    this.table.setNarrow(slot, Narrow.pathHash, hashPath(path, path.length));
    this.index.insert(slot);
    this.slots.set(path, slot);
  }

  remove(path: string): void {
    const slot = this.slots.get(path)!;
    this.index.remove(slot);
    this.table.release(slot);
    this.slots.delete(path);
  }

  find(path: string): number {
    return this.index.find(path, path.length);
  }
}

it("finds every znode by its path and nothing else, while it grows and shrinks", () => {
  const twins = new Twins();
  const parents = ["/", "/a", "/a/a", "/b", "/a/a/a"];
  for (const path of parents.slice(1)) twins.insert(path.slice(0, path.lastIndexOf("/")) || "/", path.at(-1)!);
  const present: string[] = [];
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let i = 0; i < 40_000; i++) {
    if (present.length > 0 && random(100) < (i < 20_000 ? 20 : 60)) {
      const at = random(present.length);
      const path = present[at]!;
      present[at] = present.at(-1)!;
      present.pop();
      twins.remove(path);
      expect(twins.find(path)).toBe(-1);
      continue;
    }
    const parent = parents[random(parents.length)]!;
    const name = `n${random(100_000)}`;
    const path = childPath(parent, name);
    expect(twins.find(path)).toBe(twins.slots.get(path) ?? -1);
    if (twins.slots.has(path)) continue;
    twins.insert(parent, name);
    present.push(path);
  }
  for (const [path, slot] of twins.slots) if (path !== "/") expect(twins.find(path)).toBe(slot);
});

it("tells apart paths that share names", () => {
  const name = fc.constantFrom("a", "b", "ab", "ba", "aa");
  const path = fc.array(name, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(path, { maxLength: 20 }), path, (paths, asked) => {
      const twins = new Twins();
      for (const elements of paths) {
        let at = "/";
        for (const element of elements) {
          const below = childPath(at, element);
          if (!twins.slots.has(below)) twins.insert(at, element);
          at = below;
        }
      }
      const wanted = `/${asked.join("/")}`;
      expect(twins.find(wanted)).toBe(twins.slots.get(wanted) ?? -1);
    }),
    { numRuns: 500 },
  );
});

/** Files a znode under the hash of another path, as a collision would. */
function pretend(twins: Twins, path: string, other: string): void {
  const slot = twins.slots.get(path)!;
  twins.index.remove(slot);
  twins.table.setNarrow(slot, Narrow.pathHash, hashPath(other, other.length));
  twins.index.insert(slot);
}

it("compares names where hashes are equal", () => {
  const twins = new Twins();
  twins.insert("/", "a");
  twins.insert("/", "b");
  pretend(twins, "/a", "/b");
  expect(twins.find("/b")).toBe(twins.slots.get("/b"));
});

it("compares all elements and what lies between them where hashes are equal", () => {
  for (const other of ["/pxb", "/q/b", "/pp/b", "/b", "/p/p/b", "p/b", "/p/bb"]) {
    const twins = new Twins();
    twins.insert("/", "p");
    twins.insert("/p", "b");
    pretend(twins, "/p/b", other);
    expect([other, twins.find(other)]).toEqual([other, -1]);
  }
});

it("looks at the given beginning of a path only", () => {
  const twins = new Twins();
  twins.insert("/", "a");
  twins.insert("/a", "b");
  expect(twins.index.find("/a/b/c", 4)).toBe(twins.slots.get("/a/b"));
  expect(twins.index.find("/a/b/c", 2)).toBe(twins.slots.get("/a"));
  expect(twins.index.find("/a/b/c", 6)).toBe(-1);
});
