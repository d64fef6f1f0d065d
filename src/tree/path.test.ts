import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { childPath, compareWalkOrder, isAtOrBelow, nameOf, parentPath, pathProblem, sequentialPath } from "./path.ts";

describe("a path is accepted", () => {
  const good = [
    "/",
    "/a",
    "/a/b/c",
    "/...",
    "/.a",
    "/a.",
    "/..a/b..",
    "/a b",
    "/-_!~'()*",
    "/~",
    "/\u00a0",
    "/é/日本語",
    "/\ud7ff",
    "/\uf900",
    "/\uffef",
    "/zookeeper/quota/x",
    `/${"x".repeat(1023)}`,
    `/${"é".repeat(511)}x`,
  ];
  for (const path of good) it(JSON.stringify(path).slice(0, 40), () => expect(pathProblem(path)).toBeUndefined());
});

describe("a path is refused", () => {
  const bad = [
    "",
    "a",
    "a/b",
    "//",
    "/a/",
    "/a//b",
    "//a",
    "/.",
    "/..",
    "/./a",
    "/a/.",
    "/a/..",
    "/a/../b",
    "/\u0000",
    "/a\u0001b",
    "/\u001f",
    "/\u007f",
    "/\u0080",
    "/\u009f",
    "/\ud800",
    "/\udfff",
    "/\u{1f600}",
    "/\ue000",
    "/\uf8ff",
    "/\ufff0",
    "/\ufffd",
    "/\uffff",
    `/${"x".repeat(1024)}`,
    `/${"é".repeat(512)}`,
    `/${"日".repeat(342)}`,
  ];
  for (const path of bad) it(JSON.stringify(path).slice(0, 40), () => expect(pathProblem(path)).toBeTypeOf("string"));
});

it("refuses exactly the forbidden ranges, over the whole basic plane", () => {
  const refused: string[] = [];
  let start = -1;
  for (let unit = 0; unit <= 0x10000; unit++) {
    const bad = unit < 0x10000 && unit !== 0x2f && pathProblem(`/a${String.fromCharCode(unit)}`) !== undefined;
    if (bad && start < 0) start = unit;
    if (!bad && start >= 0) {
      refused.push(`${start.toString(16)}-${(unit - 1).toString(16)}`);
      start = -1;
    }
  }
  expect(refused).toEqual(["0-1f", "7f-9f", "d800-f8ff", "fff0-ffff"]);
});

it("takes paths apart and puts them together", () => {
  expect(["/a", "/a/b", "/a/b/c"].map(parentPath)).toEqual(["/", "/a", "/a/b"]);
  expect(["/a", "/a/bc"].map(nameOf)).toEqual(["a", "bc"]);
  expect([childPath("/", "a"), childPath("/a", "b")]).toEqual(["/a", "/a/b"]);
});

it("knows what lies below", () => {
  expect(isAtOrBelow("/a", "/a")).toBe(true);
  expect(isAtOrBelow("/a/b", "/a")).toBe(true);
  expect(isAtOrBelow("/ab", "/a")).toBe(false);
  expect(isAtOrBelow("/a!", "/a")).toBe(false);
  expect(isAtOrBelow("/", "/a")).toBe(false);
  expect(isAtOrBelow("/anything", "/")).toBe(true);
});

it("pads sequence numbers to ten digits and never cuts them", () => {
  expect(sequentialPath("/a-", 7)).toBe("/a-0000000007");
  expect(sequentialPath("/a/", 12345678901)).toBe("/a/12345678901");
});

describe("the order of a walk", () => {
  const element = fc.constantFrom("a", "b", "a!", "a-b", "ab", "é", "~", "0");
  const path = fc.array(element, { maxLength: 4 }).map((elements) => `/${elements.join("/")}`);

  /** The same said differently: element by element, by the bytes of UTF-8; a prefix comes first. */
  function naive(a: string, b: string): number {
    const left = a === "/" ? [] : a.slice(1).split("/");
    const right = b === "/" ? [] : b.slice(1).split("/");
    for (let i = 0; i < left.length && i < right.length; i++) {
      const order = Buffer.compare(Buffer.from(left[i]!), Buffer.from(right[i]!));
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }

  it("compares element by element", () => {
    fc.assert(
      fc.property(path, path, (a, b) => {
        expect(Math.sign(compareWalkOrder(a, b))).toBe(Math.sign(naive(a, b)));
      }),
      { numRuns: 2000 },
    );
  });

  it("puts what lies below a znode before its next sibling, unlike the order of strings", () => {
    expect(["/a!", "/a/b", "/a", "/"].sort(compareWalkOrder)).toEqual(["/", "/a", "/a/b", "/a!"]);
    expect(["/a!", "/a/b", "/a", "/"].sort()).toEqual(["/", "/a", "/a!", "/a/b"]);
  });
});
