/** Limits, each just at and just above. */
import { describe, expect, it } from "vitest";
import {
  caller,
  create,
  del,
  deleteSubtree,
  leaderWith,
  setAcl,
  setData,
  TreeLeader,
} from "../../test/support/tree-leader.ts";
import { parseAcl } from "./acl.ts";
import type { MultiOperation } from "./request.ts";

const mebibyte = 1024 * 1024;

function multi(operations: MultiOperation[]): { kind: "multi"; operations: MultiOperation[] } {
  return { kind: "multi", operations };
}

/** Creates `count` children, a thousand in each transaction. */
function fill(leader: TreeLeader, parent: string, count: number, mode = 1, session = 7): void {
  for (let done = 0; done < count; done += 1000) {
    const operations = Array.from({ length: Math.min(1000, count - done) }, (_, index) =>
      create(`${parent}/n${done + index}`, { mode }),
    );
    leader.do(multi(operations), caller(session));
  }
}

describe("data", () => {
  it("may have 1 MiB and not a byte more", () => {
    const leader = new TreeLeader();
    leader.do(create("/x", { data: new Uint8Array(mebibyte).fill(7) }));
    leader.do(setData("/x", new Uint8Array(mebibyte).fill(8)));
    expect(leader.stat("/x").dataLength).toBe(mebibyte);
    expect(leader.tree.data(leader.tree.find("/x"))!.every((byte) => byte === 8)).toBe(true);
    const { refusal } = leader.run(setData("/x", new Uint8Array(mebibyte + 1)));
    expect(refusal).toMatchObject({
      reason: "DATA_TOO_LARGE",
      metadata: { path: "/x", limit: String(mebibyte), actual: String(mebibyte + 1) },
    });
    expect(leader.outcome(create("/y", { data: new Uint8Array(mebibyte + 1) }))).toBe("DATA_TOO_LARGE");
  });
});

describe("a path", () => {
  it("may have 1,024 bytes of UTF-8", () => {
    const leader = new TreeLeader();
    expect(leader.outcome(create(`/${"x".repeat(1023)}`))).toBe("ok");
    expect(leader.outcome(create(`/${"x".repeat(1024)}`))).toBe("BAD_ARGUMENTS");
    expect(leader.outcome(create(`/${"é".repeat(511)}`))).toBe("ok");
    expect(leader.outcome(create(`/${"é".repeat(512)}`))).toBe("BAD_ARGUMENTS");
  });

  it("counts with its sequence number", () => {
    const leader = new TreeLeader();
    expect(leader.outcome(create(`/${"x".repeat(1013)}`, { mode: 3 }))).toBe("ok");
    expect(leader.outcome(create(`/${"x".repeat(1014)}`, { mode: 3 }))).toBe("BAD_ARGUMENTS");
    const eleven = leaderWith("/p", { sequence: 10 ** 10 });
    expect(eleven.outcome(create(`/p/${"x".repeat(1010)}`, { mode: 3 }))).toBe("ok");
    expect(eleven.outcome(create(`/p/${"x".repeat(1011)}`, { mode: 3 }))).toBe("BAD_ARGUMENTS");
  });
});

describe("an ACL", () => {
  it("may have 64 entries", () => {
    const entries = (count: number): string =>
      Array.from({ length: count }, (_, index) => `digest:user${index}:B:rwcda`).join(", ");
    const leader = new TreeLeader();
    expect(leader.outcome(create("/x", { acl: parseAcl(entries(64))! }))).toBe("ok");
    expect(leader.outcome(create("/y", { acl: parseAcl(entries(65))! }))).toBe("INVALID_ACL");
    leader.do(create("/z"));
    expect(leader.outcome(setAcl("/z", parseAcl(entries(65))!))).toBe("INVALID_ACL");
    expect(leader.outcome(setAcl("/z", parseAcl(entries(64))!))).toBe("ok");
  });
});

describe("a multi", () => {
  it("may have 1,000 operations", () => {
    const leader = new TreeLeader();
    const thousand = Array.from({ length: 1000 }, (_, index) => create(`/n${index}`));
    expect(leader.outcome(multi([...thousand, create("/more")]))).toBe("REQUEST_TOO_LARGE");
    expect(leader.outcome(multi(thousand))).toBe("ok");
    expect(leader.tree.count).toBe(1004);
    leader.tree.verify();
  });

  it("may have 2 MiB of paths and data", () => {
    const leader = new TreeLeader();
    const first = create("/a", { data: new Uint8Array(mebibyte) });
    const second = (length: number): MultiOperation => create("/b", { data: new Uint8Array(length) });
    const { refusal } = leader.run(multi([first, second(mebibyte - 3)]));
    expect(refusal).toMatchObject({
      reason: "REQUEST_TOO_LARGE",
      metadata: { limit: String(2 * mebibyte), actual: String(2 * mebibyte + 1) },
    });
    expect(leader.outcome(multi([first, second(mebibyte - 4)]))).toBe("ok");
  });

  it("counts paths in bytes, not in characters", () => {
    const leader = new TreeLeader();
    const name = "日".repeat(300);
    const data = new Uint8Array(mebibyte - 901);
    const { refusal } = leader.run(multi([create(`/${name}`, { data }), setData(`/${name}`, data), del(`/${name}`)]));
    expect(refusal).toMatchObject({ reason: "REQUEST_TOO_LARGE", metadata: { actual: String(2 * mebibyte + 901) } });
  });
});

describe("deleteSubtree", () => {
  it("may remove 10,000 znodes", () => {
    const leader = new TreeLeader();
    leader.do(create("/p"));
    fill(leader, "/p", 10_000);
    expect(leader.run(deleteSubtree("/p")).refusal).toMatchObject({
      reason: "SUBTREE_TOO_LARGE",
      metadata: { path: "/p", limit: "10000" },
    });
    leader.do(del("/p/n77"));
    expect(leader.do(deleteSubtree("/p"))).toHaveLength(10_000);
    expect(leader.tree.count).toBe(4);
    leader.tree.verify();
  });

  it("counts what waits for its commit", () => {
    const leader = new TreeLeader();
    leader.do(create("/p"));
    fill(leader, "/p", 9_999);
    leader.propose(create("/p/more"));
    expect(leader.propose(deleteSubtree("/p")).refusal?.reason).toBe("SUBTREE_TOO_LARGE");
    leader.propose(del("/p/n1"));
    leader.propose(del("/p/more"));
    leader.propose(create("/p/other"));
    expect(leader.propose(deleteSubtree("/p")).ops).toHaveLength(10_000);
    leader.apply();
    expect(leader.tree.count).toBe(4);
    leader.tree.verify();
  });

  it("does not count what is about to go, however early in the walk it lies", () => {
    const leader = new TreeLeader();
    leader.do(create("/p"));
    fill(leader, "/p", 10_005);
    for (const name of leader.children("/p").slice(0, 6)) leader.propose(del(`/p/${name}`));
    expect(leader.propose(deleteSubtree("/p")).ops).toHaveLength(10_000);
    leader.apply();
    expect(leader.tree.count).toBe(4);
    leader.tree.verify();
  });

  it("tells the size before a missing permission further down", () => {
    const leader = new TreeLeader();
    leader.do(create("/p"));
    leader.do(create("/p/closed"));
    leader.do(create("/p/closed/x"));
    leader.do(setAcl("/p/closed", parseAcl("world:anyone:r")!));
    expect(leader.outcome(deleteSubtree("/p"))).toBe("NO_AUTH");
    fill(leader, "/p", 10_000);
    expect(leader.outcome(deleteSubtree("/p"))).toBe("SUBTREE_TOO_LARGE");
  });
});

describe("a session", () => {
  it("may own 10,000 ephemeral znodes, those that wait for their commit included", () => {
    const leader = new TreeLeader();
    leader.do(create("/p"));
    leader.do(create("/e", { mode: 2 }), caller(7));
    fill(leader, "/p", 9_998, 2);
    const ephemeral = (path: string): string =>
      leader.propose(create(path, { mode: 2 }), caller(7)).refusal?.reason ?? "ok";
    expect([ephemeral("/p/last"), ephemeral("/p/more")]).toEqual(["ok", "TOO_MANY_EPHEMERALS"]);
    expect(ephemeral("/e/x")).toBe("NO_CHILDREN_FOR_EPHEMERALS");
    leader.propose(del("/p/n5"));
    expect([ephemeral("/p/last2"), ephemeral("/p/more")]).toEqual(["ok", "TOO_MANY_EPHEMERALS"]);
    leader.apply();
    expect(ephemeral("/p/more")).toBe("TOO_MANY_EPHEMERALS");
    expect(leader.outcome(create("/p/more", { mode: 2 }), caller(8))).toBe("ok");
    expect(leader.outcome(create("/p/plain"), caller(7))).toBe("ok");
    expect(leader.endSession(7)).toHaveLength(10_000);
    expect(leader.children("/p")).toEqual(["more", "plain"]);
    leader.tree.verify();
  });
});

it("a refusal that depends on nothing replicated takes no zxid", () => {
  const leader = new TreeLeader();
  leader.outcome(create("relative"));
  leader.outcome(create("/x", { data: new Uint8Array(mebibyte + 1) }));
  leader.outcome(del("/"));
  expect(leader.zxid).toBe(0);
});
