import fc from "fast-check";
import { expect, it } from "vitest";
import { create, rowsOf, loadFrom, setData, TreeLeader } from "../../test/support/tree-leader.ts";
import { DigestSum, formatDigest, znodeDigest } from "./digest.ts";
import { emptyStat, type Stat } from "./stat.ts";
import { Tree, type ZnodeRow } from "./tree.ts";

const modulus = 2n ** 53n;

it("a sum adds and subtracts modulo 2^53, exactly", () => {
  const part = fc.oneof(
    fc.maxSafeNat(),
    fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 52, 2 ** 53 - 2 ** 32),
  );
  const step = fc.tuple(fc.boolean(), part);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const sum = new DigestSum();
      let expected = 0n;
      for (const [add, value] of steps) {
        if (add) sum.add(value);
        else sum.subtract(value);
        expected = (((expected + (add ? BigInt(value) : -BigInt(value))) % modulus) + modulus) % modulus;
        expect(BigInt(sum.value)).toBe(expected);
      }
      const copy = new DigestSum();
      copy.value = sum.value;
      expect(copy.value).toBe(sum.value);
    }),
    { numRuns: 500 },
  );
});

it("a sum does not depend on the order of its parts", () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat(), { maxLength: 20 }), (parts) => {
      const forth = new DigestSum();
      const back = new DigestSum();
      for (const value of parts) forth.add(value);
      for (const value of parts.toReversed()) back.add(value);
      expect(forth.value).toBe(back.value);
    }),
  );
});

it("is shown as 16 hexadecimal digits", () => {
  expect(formatDigest(0)).toBe("0000000000000000");
  expect(formatDigest(2 ** 53 - 1)).toBe("001fffffffffffff");
});

it("every field of a znode shows in its digest", () => {
  const stat: Stat = { ...emptyStat(), czxid: 5, mzxid: 6, pzxid: 7, ctime: 8, mtime: 9, kind: 1 };
  const base = znodeDigest(1, 2, 3, 4, 5, 6, stat);
  const others = [
    znodeDigest(99, 2, 3, 4, 5, 6, stat),
    znodeDigest(1, 99, 3, 4, 5, 6, stat),
    znodeDigest(1, 2, 99, 4, 5, 6, stat),
    znodeDigest(1, 2, 3, 99, 5, 6, stat),
    znodeDigest(1, 2, 3, 4, 99, 6, stat),
    znodeDigest(1, 2, 3, 4, 5, 99, stat),
  ];
  for (const field of Object.keys(stat) as (keyof Stat)[]) {
    // Covered by the length that tells none from empty.
    if (field === "dataLength") continue;
    others.push(znodeDigest(1, 2, 3, 4, 5, 6, { ...stat, [field]: 99 }));
    others.push(znodeDigest(1, 2, 3, 4, 5, 6, { ...stat, [field]: stat[field] + 2 ** 31 }));
  }
  expect(new Set([base, ...others]).size).toBe(others.length + 1);
});

it("no data and empty data differ", () => {
  const withData = (data: Uint8Array | null): number => {
    const leader = new TreeLeader();
    leader.do(create("/x", { data }));
    return leader.tree.digest;
  };
  expect(withData(null)).not.toBe(withData(new Uint8Array(0)));
});

it("the digest of a tree tells a change of any stored field", () => {
  const leader = new TreeLeader();
  leader.do(create("/a"));
  leader.do(create("/a/b", { data: new Uint8Array(5) }));
  leader.do(setData("/a", new Uint8Array(3)));
  const { digest } = leader.tree;
  const changed = (change: (row: ZnodeRow) => ZnodeRow): number =>
    loadFrom(leader.tree, new Tree(), (row) => (row.name === "b" ? change(row) : row)).digest;
  expect(changed((row) => row)).toBe(digest);
  expect(changed((row) => ({ ...row, name: "c" }))).not.toBe(digest);
  expect(changed((row) => ({ ...row, data: null }))).not.toBe(digest);
  expect(changed((row) => ({ ...row, dataCrc: row.dataCrc ^ 1 }))).not.toBe(digest);
  expect(changed((row) => ({ ...row, acl: 2 }))).not.toBe(digest);
  expect(changed((row) => ({ ...row, parent: 1 }))).not.toBe(digest);
});

it("a tree without any changes has the same digest in every ensemble", () => {
  expect(Tree.initial().digest).toBe(Tree.initial().digest);
  expect(rowsOf(Tree.initial()).map(({ id, name }) => [id, name])).toEqual([
    [1, ""],
    [2, "zookeeper"],
    [3, "config"],
    [4, "quota"],
  ]);
});
