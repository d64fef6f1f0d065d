/** `txlog`: the log as the files tell it, while the server runs and after it stopped, and as the server tells it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Running, TestServer } from "./harness.ts";

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
  await server.ok("create", "/a", "1");
  await server.run(["create", "/a", "2"]);
  await server.ok("set", "/a", "3");
  await server.run(["multi"], '{"create": {"path": "/b"}}\n{"create": {"path": "/b/c", "dataBase64": "/w=="}}');
});

afterEach(async () => {
  await server.remove();
});

async function fromFiles(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, stderr, ...result } = await new Running(["txlog", "--data", server.data, "--json", ...args]).result;
  expect([code, stderr]).toEqual([0, ""]);
  return result.stdout === "" ? [] : result.jsonLines();
}

describe("out of the files", () => {
  it("shows every row, refused writes included, of a running server", async () => {
    const follow = new Running(["txlog", "--data", server.data, "--follow"]);
    await follow.until(/\/b\/c/);
    follow.stop("SIGINT");
    const { code, stdout } = await follow.result;
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^ +1\.0 {2}\S+Z {2}found$/),
      expect.stringMatching(/^ +2\.0 {2}\S+Z {2}create {10}\/a {2}version 0, "1"$/),
      expect.stringMatching(/^ +3\.0 {2}\S+Z {2}rejected {8}\/a {2}create refused: NODE_EXISTS$/),
      expect.stringMatching(/^ +4\.0 {2}\S+Z {2}set_data {8}\/a {2}version 1, "3"$/),
      expect.stringMatching(/^ +5\.0 {2}\S+Z {2}create {10}\/b {2}version 0, no data$/),
      expect.stringMatching(/^ +5\.1 {2}\S+Z {2}create {10}\/b\/c {2}version 0, \(1 byte\)$/),
    ]);
  });

  it("follows what is committed later", async () => {
    const follow = new Running(["txlog", "--data", server.data, "--follow", "--tail", "0", "--limit", "1"]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await server.ok("create", "/later");
    const { code, stdout } = await follow.result;
    expect(code).toBe(0);
    expect(stdout).toMatch(/create +\/later/);
  });

  it("selects transactions, a subtree, and how many lines", async () => {
    await server.stop();
    expect((await fromFiles("--from", "2", "--to", "4")).map(({ zxid }) => zxid)).toEqual([2, 3, 4]);
    expect(await fromFiles("--path", "/b")).toMatchObject([
      { zxid: 5, op: 0, path: "/b", data: null },
      { zxid: 5, op: 1, path: "/b/c", data: "/w==", code: "OK" },
    ]);
    expect(await fromFiles("--limit", "2")).toHaveLength(2);
    expect(await fromFiles("--path", "/none")).toEqual([]);
  });

  it("is refused where there is no log", async () => {
    const refused = await new Running(["txlog", "--data", server.directory]).result;
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^zabtree: .*no log\.db.*\n$/);
  });
});

describe("from the server", () => {
  it("shows the changes of the tree and ends where the log ends", async () => {
    const { code, stdout } = await server.run(["txlog"]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual([
      '       2  created   /a  version 0, 1 byte, "1"',
      '       4  changed   /a  version 1, 1 byte, "3"',
      "       5  created   /b  version 0, 0 bytes, no data",
      "       5  created   /b/c  version 0, 1 byte, (1 byte)",
    ]);
  });

  it("selects, and ends although nothing more matches", async () => {
    const events = (await server.run(["txlog", "--path", "/a", "--from", "3", "--json"])).jsonLines();
    expect(events).toMatchObject([{ zxid: 4, kind: "DATA_CHANGED", text: "3" }]);
    expect(await server.ok("txlog", "--path", "/none")).toBe("");
    expect((await server.ok("txlog", "--to", "4")).trimEnd().split("\n")).toHaveLength(2);
  });
});
