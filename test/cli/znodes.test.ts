/** Every command about znodes: what it prints, with and without --json, and its exit code. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, Running, TestServer } from "./harness.ts";

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.remove();
});

describe("create and get", () => {
  it("print the path, and the data byte for byte", async () => {
    expect(await server.ok("create", "/hello", "world")).toBe("/hello\n");
    expect(await server.ok("get", "/hello")).toBe("world");
  });

  it("take any bytes from stdin and from a file", async () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));
    await server.run(["create", "/stdin", "-"], bytes);
    expect((await server.run(["get", "/stdin"])).bytes.equals(bytes)).toBe(true);
    const file = join(server.directory, "bytes");
    await writeFile(file, bytes);
    await server.ok("create", "/file", "--file", file);
    expect((await server.run(["get", "/file"])).bytes.equals(bytes)).toBe(true);
  });

  it("tell no data from empty data", async () => {
    await server.ok("create", "/absent");
    await server.ok("create", "/empty", "");
    expect((await server.run(["get", "/absent", "--json"])).json()).toMatchObject({ data: null });
    expect((await server.run(["get", "/empty", "--json"])).json()).toMatchObject({ data: "", text: "" });
  });

  it("print JSON", async () => {
    const created = (await server.run(["create", "/json", "é", "--json"])).json();
    expect(created).toMatchObject({ path: "/json", stat: { version: 0, dataLength: 2, kind: "PERSISTENT" } });
    expect((await server.run(["--json", "get", "/json"])).json()).toMatchObject({
      path: "/json",
      data: "w6k=",
      text: "é",
      stat: created["stat"],
    });
  });

  it("append numbers, and make parents", async () => {
    expect(await server.ok("create", "-p", "--sequential", "/queue/deep/job-", "x")).toBe(
      "/queue/deep/job-0000000000\n",
    );
    expect(await server.ok("create", "--mode", "persistent-sequential", "/queue/deep/")).toBe(
      "/queue/deep/0000000001\n",
    );
  });

  it("print the Stat beside the data", async () => {
    await server.ok("create", "/with-stat", "x");
    const { stdout, stderr } = await server.run(["get", "/with-stat", "--stat"]);
    expect(stdout).toBe("x");
    expect(stderr).toMatch(/^version +0$/m);
  });
});

describe("set and delete", () => {
  it("honour expected versions", async () => {
    await server.ok("create", "/versioned", "a");
    expect(await server.ok("set", "/versioned", "b", "--version", "0")).toBe("set /versioned (version 1)\n");
    const refused = await server.run(["set", "/versioned", "c", "--version", "0"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^zabtree: BAD_VERSION: .+\n$/);
    expect((await server.run(["delete", "/versioned", "--version", "7"])).code).toBe(1);
    expect(await server.ok("delete", "/versioned", "--version", "1")).toBe("deleted /versioned\n");
    expect((await server.run(["stat", "/versioned"])).code).toBe(1);
  });

  it("refuse a znode with children unless the subtree is meant", async () => {
    await server.ok("create", "-p", "/tree/a/b");
    expect((await server.run(["delete", "/tree"])).stderr).toContain("NOT_EMPTY");
    expect(await server.ok("delete", "--recursive", "/tree")).toBe("deleted /tree (3 znodes)\n");
  });

  it("delete more than one transaction may", async () => {
    const lines = (from: number, prefix: string) =>
      Array.from({ length: 1000 }, (_, index) => `{"create": {"path": "${prefix}${from + index}"}}`).join("\n");
    await server.ok("create", "-p", "/big/wide");
    await server.ok("create", "/big/wide/deep");
    for (let from = 0; from < 11_000; from += 1000) {
      expect((await server.run(["multi"], lines(from, from < 5000 ? "/big/" : "/big/wide/deep/"))).code).toBe(0);
    }
    expect(await server.ok("delete", "-r", "/big")).toBe("deleted /big (11003 znodes)\n");
    expect((await server.run(["stat", "/big"])).code).toBe(1);
  }, 60_000);
});

describe("ls and stat", () => {
  beforeAll(async () => {
    for (const path of ["/list", "/list/b", "/list/a", "/list/a/c"]) await server.ok("create", path, "xy");
  });

  it("list children in order, and subtrees with parents first", async () => {
    expect(await server.ok("ls", "/list")).toBe("a\nb\n");
    expect(await server.ok("ls", "-R", "/list")).toBe("/list\n/list/a\n/list/a/c\n/list/b\n");
  });

  it("list Stats", async () => {
    const lines = (await server.ok("ls", "-l", "/list")).trimEnd().split("\n");
    expect(lines[0]).toMatch(/version +children +bytes +modified +name/);
    expect(lines[1]).toMatch(/^ +0 +1 +2 +\d{4}-\S+Z +a$/);
    const json = (await server.run(["ls", "-Rl", "/list", "--json"])).jsonLines();
    expect(json.map(({ path }) => path)).toEqual(["/list", "/list/a", "/list/a/c", "/list/b"]);
    expect(json[1]).toMatchObject({ stat: { numChildren: 1, dataLength: 2 } });
  });

  it("show every field", async () => {
    expect(await server.ok("stat", "/list")).toMatch(/^numChildren +2$/m);
    expect((await server.run(["stat", "/list", "--json"])).json()).toMatchObject({
      path: "/list",
      stat: { version: 0, cversion: 2, nextSequence: 2, ephemeralOwner: 0 },
    });
  });

  it("end quietly when nobody reads on", async () => {
    const running = server.spawn(["ls", "-R", "/"]);
    running.process.stdout?.destroy();
    expect(await running.result).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("ACLs", () => {
  it("are set, shown, and enforced", async () => {
    await server.ok("create", "/secret", "x", "--acl", "auth::rwcda", "--auth", "alice:pw");
    const denied = await server.run(["get", "/secret", "--json"]);
    expect(denied.code).toBe(1);
    expect(JSON.parse(denied.stderr)).toMatchObject({
      error: { reason: "NO_AUTH", metadata: { path: "/secret" }, exitCode: 1 },
    });
    expect(await server.ok("get", "/secret", "--auth", "alice:pw")).toBe("x");
    const id = (await new Running(["acl", "digest", "alice:pw"]).result).stdout.trimEnd();
    expect(await server.ok("acl", "get", "/secret", "--auth", "alice:pw")).toBe(`digest:${id}:rwcda\n`);
    const entries = ["world:anyone:r", `digest:${id}:ra`];
    expect(await server.ok("acl", "set", "/secret", ...entries, "--auth", "alice:pw")).toBe(
      "set the ACL of /secret (ACL version 1)\n",
    );
    expect(await server.ok("get", "/secret")).toBe("x");
    expect((await server.run(["set", "/secret", "y"])).stderr).toContain("NO_AUTH");
    expect((await server.run(["acl", "get", "/secret", "--json"])).json()).toMatchObject({
      acl: [
        { scheme: "world", id: "anyone", permissions: ["READ"] },
        { scheme: "digest", permissions: ["READ", "ADMIN"] },
      ],
    });
  });

  it("identify the caller", async () => {
    const id = (await new Running(["acl", "digest", "alice:pw"]).result).stdout.trimEnd();
    expect(await server.ok("whoami", "--auth", "alice:pw")).toContain(`digest:${id}\n`);
    expect((await server.run(["whoami", "--json"])).json()).toMatchObject({ identities: [{ scheme: "ip" }] });
  });
});

describe("multi", () => {
  it("does all or nothing", async () => {
    await server.ok("create", "/multi", "a");
    const good = [
      { check: { path: "/multi", version: 0 } },
      { create: { path: "/multi/n-", mode: "persistent-sequential", data: "1" } },
      { set: { path: "/multi", dataBase64: "AP8=" } },
      { delete: { path: "/multi/n-0000000000" } },
    ];
    const done = await server.run(["multi"], JSON.stringify(good));
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toBe(
      "checked /multi\ncreated /multi/n-0000000000\nset /multi (version 1)\ndeleted /multi/n-0000000000\n",
    );
    const failed = await server.run(["multi", "--json"], JSON.stringify(good));
    expect(JSON.parse(failed.stderr)).toMatchObject({ error: { reason: "BAD_VERSION", metadata: { operation: "0" } } });
    expect((await server.run(["stat", "/multi", "--json"])).json()).toMatchObject({
      stat: { version: 1, nextSequence: 1 },
    });
  });

  it("reads a file, one operation a line", async () => {
    const file = join(server.directory, "operations.jsonl");
    await writeFile(
      file,
      '{"create": {"path": "/from-file"}}\n{"setAcl": {"path": "/from-file", "acl": ["world:anyone:r"]}}\n',
    );
    expect((await server.run(["multi", file, "--json"])).json()).toMatchObject({
      results: [{ create: { path: "/from-file" } }, { setAcl: { path: "/from-file", stat: { aversion: 1 } } }],
    });
  });
});

it("status tells where the log and the tree stand", async () => {
  expect(await server.ok("status")).toMatch(/^role +leading, epoch \d+$/m);
  const status = (await server.run(["status", "--json"])).json();
  expect(status).toMatchObject({ role: "LEADING", server: server.address, oldestZxid: 1 });
  expect(status["clusterId"]).toMatch(/^[0-9a-f]{32}$/);
  expect(status["digest"]).toMatch(/^[0-9a-f]{16}$/);
});

describe("failures", () => {
  it("of the operation: exit code 1, the reason on stderr", async () => {
    const failed = await server.run(["get", "/nowhere"]);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toMatch(/^zabtree: NO_NODE: .+\n$/);
    expect((await server.run(["create", "no-slash"])).stderr).toContain("BAD_ARGUMENTS");
  });

  it.each([
    [["get"], "missing required argument 'path'"],
    [["set", "/a", "b", "--version", "x"], "whole number"],
    [["create", "/a", "b", "--mode", "container"], "Allowed choices"],
    [["create", "/a", "b", "--acl", "world"], "scheme:id:permissions"],
    [["watch", "/a", "--state", "--from", "1"], "does not go with"],
    [["frobnicate"], "unknown command"],
  ])("of the command line: exit code 2: %j", async (args, message) => {
    const failed = await new Running(args).result;
    expect(failed.code).toBe(2);
    expect(failed.stderr).toContain(message);
    expect(failed.stderr).toContain("--help");
  });

  it("of the connection: exit code 3", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const failed = await new Running(["get", "/a", "--server", address]).result;
    expect(failed).toMatchObject({
      code: 3,
      stderr: `zabtree: no zabtree server at ${address} (connection refused)\n`,
    });
    const json = await new Running(["get", "/a", "--server", address, "--json"]).result;
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { reason: "UNREACHABLE", exitCode: 3 } });
  });
});
