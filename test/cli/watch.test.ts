/** `watch`, `txlog`, and `create --ephemeral`: the commands that stay. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestServer, type Running } from "./harness.ts";

let server: TestServer;
const started: Running[] = [];

beforeEach(async () => {
  server = await TestServer.start();
});

afterEach(async () => {
  for (const running of started.splice(0)) running.stop("SIGKILL");
  await server.remove();
});

function follow(...args: string[]): Running {
  const running = server.spawn(args);
  started.push(running);
  return running;
}

async function lastZxid(): Promise<number> {
  return (await server.run(["status", "--json"])).json()["committedZxid"] as number;
}

describe("watch", () => {
  it("prints events as they happen, and stops after as many as were asked for", async () => {
    const from = String(await lastZxid());
    const watch = follow("watch", "/a", "--scope", "subtree", "--data", "--count", "4", "--from", from);
    await server.ok("create", "/a", "1");
    await watch.until(/created +\/a .*"1"/);
    await server.ok("create", "/a/b");
    await server.ok("set", "/a", "2");
    await server.ok("delete", "/a/b");
    const { code, stdout } = await watch.result;
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^ +\d+ {2}created {3}\/a {2}version 0, 1 byte, "1"$/),
      expect.stringMatching(/^ +\d+ {2}created {3}\/a\/b {2}version 0, 0 bytes, no data$/),
      expect.stringMatching(/^ +\d+ {2}changed {3}\/a {2}version 1, 1 byte, "2"$/),
      expect.stringMatching(/^ +\d+ {2}deleted {3}\/a\/b$/),
    ]);
  });

  it("begins with the state, then goes on with changes", async () => {
    await server.ok("create", "/s", "1");
    await server.ok("create", "/s/a", "2");
    const watch = follow("watch", "/s", "--scope", "children", "--state", "--count", "1", "--json");
    await watch.until(/synced/);
    await server.ok("create", "/s/b", "3");
    expect((await watch.result).jsonLines()).toMatchObject([
      { type: "state", path: "/s" },
      { type: "state", path: "/s/a" },
      { type: "synced" },
      { type: "event", kind: "CREATED", path: "/s/b", cause: "REQUEST", stat: { version: 0 } },
    ]);
  });

  it("resumes when the server is killed and started again: nothing lost, nothing twice", async () => {
    await server.ok("create", "/r", "");
    const watch = follow("watch", "/r", "--json", "--data", "--from", String(await lastZxid()), "--count", "6");
    for (const value of ["1", "2", "3"]) await server.ok("set", "/r", value);
    await watch.until(/"text":"3"/);
    await server.stop("SIGKILL");
    await server.start();
    for (const value of ["4", "5", "6"]) await server.ok("set", "/r", value);
    const { code, ...result } = await watch.result;
    expect(code).toBe(0);
    expect(result.jsonLines().map(({ text }) => text)).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  it("ends with exit code 0 at Ctrl-C", async () => {
    const watch = follow("watch", "/r", "--state");
    await watch.until(/that is the state/);
    watch.stop("SIGINT");
    expect((await watch.result).code).toBe(0);
  });

  it("says when the log does not reach that far, or not yet", async () => {
    expect(await server.run(["watch", "/", "--from", "1000000"])).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("an ephemeral znode", () => {
  it("is there until Ctrl-C", async () => {
    const holder = follow("create", "--ephemeral", "/alive", "me", "--json");
    await holder.until(/"path":"\/alive"/);
    const sessionId = (JSON.parse(holder.output) as { sessionId: number }).sessionId;
    expect((await server.run(["stat", "/alive", "--json"])).json()).toMatchObject({
      stat: { ephemeralOwner: sessionId, kind: "EPHEMERAL" },
    });
    holder.stop("SIGINT");
    expect((await holder.result).code).toBe(0);
    expect((await server.run(["stat", "/alive"])).code).toBe(1);
  });

  it("outlives its holder by the session timeout", async () => {
    const holder = follow("create", "-es", "/mine-", "--session-timeout", "1");
    const path = (await holder.until(/^\/mine-\d{10}$/m))[0];
    holder.stop("SIGKILL");
    await holder.result;
    expect((await server.run(["stat", path])).code).toBe(0);
    const watch = await server.run(["watch", path, "--from", "1", "--count", "2", "--json"]);
    expect(watch.jsonLines()[1]).toMatchObject({ kind: "DELETED", cause: "SESSION_EXPIRED" });
  });

  it("stays while the server is restarted in between", async () => {
    const holder = follow("create", "--ephemeral", "/kept");
    await holder.until(/held by session/);
    await server.stop("SIGKILL");
    await server.start();
    await holder.until(/connected again/);
    expect((await server.run(["stat", "/kept"])).code).toBe(0);
    holder.stop("SIGTERM");
    expect((await holder.result).code).toBe(0);
    expect((await server.run(["stat", "/kept"])).code).toBe(1);
  });

  it("is refused with the reason, and leaves no session behind", async () => {
    await server.ok("create", "/taken");
    const refused = await server.run(["create", "--ephemeral", "/taken"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("NODE_EXISTS");
    expect((await server.run(["status", "--json"])).json()).toMatchObject({ sessions: 0 });
  });
});
