import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkExists,
  checkVersion,
  create,
  del,
  deleteSubtree,
  setAcl,
  setData,
} from "../../test/support/tree-leader.ts";
import { parseAcl } from "./acl.ts";
import { fingerprint, requestKindOf, requestProblem, type MultiOperation, type WriteRequest } from "./request.ts";
import { RequestKind } from "./txn.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const open = parseAcl("world:anyone:rwcda")!;
const readable = parseAcl("world:anyone:r")!;

function multi(...operations: MultiOperation[]): WriteRequest {
  return { kind: "multi", operations };
}

describe("the fingerprint of a request", () => {
  const different: readonly WriteRequest[] = [
    create("/a"),
    create("/b"),
    create("/a", { mode: 2 }),
    create("/a", { mode: 3 }),
    create("/a", { data: bytes() }),
    create("/a", { data: bytes(0) }),
    create("/a", { data: bytes(0, 0) }),
    create("/a", { data: bytes(1) }),
    create("/a", { acl: open }),
    create("/a", { acl: readable }),
    create("/a", { acl: [...open, ...readable] }),
    del("/a"),
    del("/a", 0),
    del("/a", 1),
    del("/a", -1),
    deleteSubtree("/a"),
    setData("/a"),
    setData("/a", bytes()),
    setData("/a", bytes(1)),
    setData("/a", bytes(1), 0),
    setData("/a", null, 0),
    setAcl("/a", open),
    setAcl("/a", open, 0),
    setAcl("/a", readable, 0),
    multi(create("/a")),
    multi(create("/a"), create("/b")),
    multi(create("/b"), create("/a")),
    multi(create("/a"), create("/a")),
    multi(checkExists("/a", true)),
    multi(checkExists("/a", false)),
    multi(checkVersion("/a", 0)),
    multi(checkVersion("/a", 1)),
  ];

  it("differs between requests that differ in any part", () => {
    expect(new Set(different.map(fingerprint)).size).toBe(different.length);
  });

  it("is the same for the same content, and a whole number that the log can hold", () => {
    for (const request of different) {
      expect(fingerprint(structuredClone(request))).toBe(fingerprint(request));
      expect(Number.isSafeInteger(fingerprint(request)) && fingerprint(request) >= 0).toBe(true);
    }
  });

  it("differs between requests made at random", () => {
    const part = fc.record({ path: fc.string(), data: fc.uint8Array({ maxLength: 8 }), version: fc.integer() });
    fc.assert(
      fc.property(part, part, (a, b) => {
        const same = a.path === b.path && a.version === b.version && Buffer.compare(a.data, b.data) === 0;
        const prints = [a, b].map(({ path, data, version }) => fingerprint(setData(path, data, version)));
        expect(prints[0] === prints[1]).toBe(same);
      }),
      { numRuns: 2000 },
    );
  });
});

it("each kind of request has its number", () => {
  const kinds = [create("/a"), del("/a"), deleteSubtree("/a"), setData("/a"), setAcl("/a", open), multi()];
  expect(kinds.map(requestKindOf)).toEqual([
    RequestKind.create,
    RequestKind.delete,
    RequestKind.deleteSubtree,
    RequestKind.setData,
    RequestKind.setAcl,
    RequestKind.multi,
  ]);
});

describe("a znode that exists from the start", () => {
  for (const path of ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]) {
    it(`${path} cannot be deleted, alone, with what is below or in a multi`, () => {
      for (const request of [del(path), deleteSubtree(path), multi(checkExists("/", true), del(path))]) {
        expect(requestProblem(request, [])?.reason).toBe("BAD_ARGUMENTS");
      }
    });
  }

  it("has children that can be", () => {
    expect(requestProblem(del("/zookeeper/quota/x"), [])).toBeUndefined();
    expect(requestProblem(deleteSubtree("/zookeeper/x"), [])).toBeUndefined();
  });
});

it("every kind of operation checks its path", () => {
  const requests = (path: string): WriteRequest[] => [
    create(path),
    create(path, { mode: 3 }),
    del(path),
    deleteSubtree(path),
    setData(path),
    setAcl(path, open),
    multi(checkExists(path, true)),
    multi(checkVersion(path, 0)),
  ];
  for (const path of ["", "a", "//", "/a//b", "/a/../b", "/\u0000", "/\ud800"]) {
    for (const request of requests(path)) {
      expect([path, request.kind, requestProblem(request, [])?.reason]).toEqual([path, request.kind, "BAD_ARGUMENTS"]);
    }
  }
  for (const request of requests("/a")) expect(requestProblem(request, [])).toBeUndefined();
});

it("modes that do not exist are refused", () => {
  for (const mode of [-1, 0, 5, 6, 1.5, NaN]) {
    expect(requestProblem(create("/a", { mode }), [])).toMatchObject({
      reason: "BAD_ARGUMENTS",
      metadata: { field: "mode" },
    });
  }
});
