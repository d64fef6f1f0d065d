import fc from "fast-check";
import { expect, it } from "vitest";
import * as tree from "../tree/path.ts";
import { childPath, isAtOrBelow, parentPath, pathProblem } from "./znode-path.ts";

const element = fc.oneof(
  fc.constantFrom(
    "",
    ".",
    "..",
    "...",
    "a",
    "é",
    "\u{1F600}",
    "a\u0000",
    "\u009f",
    "\ue000",
    "\ufff0",
    "x".repeat(1015),
  ),
  fc.string({ maxLength: 4, unit: "binary" }),
);
const path = fc.array(element, { maxLength: 4 }).map((elements) => `/${elements.join("/")}`);

it("refuses what the server refuses, and nothing else", () => {
  fc.assert(
    fc.property(fc.oneof(path, fc.string()), (text) => {
      expect(pathProblem(text) === undefined, text).toBe(tree.pathProblem(text) === undefined);
    }),
    { numRuns: 2000 },
  );
});

it("takes paths apart as the server does", () => {
  fc.assert(
    fc.property(path, path, (a, b) => {
      expect(parentPath(a)).toBe(tree.parentPath(a));
      expect(childPath(a, "c")).toBe(tree.childPath(a, "c"));
      expect(isAtOrBelow(a, b)).toBe(tree.isAtOrBelow(a, b));
      expect(isAtOrBelow(a + b, a)).toBe(tree.isAtOrBelow(a + b, a));
    }),
  );
});
