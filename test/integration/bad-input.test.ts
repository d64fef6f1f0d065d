/** Requests that must be refused, over every transport: each with its typed reason, and the server goes on. */
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import {
  AttachSessionRequestSchema,
  AttachSessionResponseSchema,
  OpenSessionRequestSchema,
  OpenSessionResponseSchema,
  type SessionFrame,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { CreateRequestSchema } from "../../gen/ts/zabtree/v1/tree_pb.js";
import { fromBinary } from "@bufbuild/protobuf";
import { CreateMode, Permission, ZabtreeError, type Connection, type Session } from "../../src/client/index.ts";
import { limits } from "../../src/base/limits.ts";
import { endedOf, mebibyte, random, RawClient, Server, text, until, within, type Ended } from "./harness.ts";

let server: Server;
let connection: Connection;

beforeAll(async () => {
  server = await Server.start({ http: true, shared: true });
  const setUp = await server.connect();
  await setUp.tree.create({ path: "/there", data: text("x") });
  await setUp.tree.create({ path: "/there/child" });
});

async function connected(): Promise<Connection> {
  connection = await server.connect();
  return connection;
}

/** The reason a promise is rejected with. */
async function refusedWith(promise: Promise<unknown>): Promise<ZabtreeError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ZabtreeError) return error;
  throw new Error(`not refused, or not by the server: ${String(error)}`);
}

/** The reasons that calls are refused with, in their order. */
async function reasonsOf(calls: Iterable<Promise<unknown>>): Promise<(string | undefined)[]> {
  return (await Promise.all([...calls].map(refusedWith))).map(({ reason }) => reason);
}

/** Holds calls against the reasons they must be refused with. */
async function expectRefused(calls: readonly (readonly [Promise<unknown>, string])[]): Promise<void> {
  const reasons = await reasonsOf(calls.map(([call]) => call));
  expect(reasons.map((reason, index) => [index, reason])).toEqual(calls.map(([, reason], index) => [index, reason]));
}

/** A call through Connect: HTTP status, code, and the ErrorInfo in the details. */
async function connectCall(method: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`http://${server.http}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const json = (await response.json()) as {
    code?: string;
    details?: { type: string; debug?: { reason: string; domain: string; metadata: Record<string, string> } }[];
  };
  return { status: response.status, code: json.code, info: json.details?.[0]?.debug, json };
}

const malformedPaths: readonly (readonly [string, string])[] = [
  ["empty", ""],
  ["relative", "a/b"],
  ["ends with a slash", "/a/"],
  ["empty element", "/a//b"],
  ["one dot", "/a/./b"],
  ["two dots", "/a/.."],
  ["NUL", "/a\u0000b"],
  ["control character", "/a\u001fb"],
  ["C1 control character", "/a\u0085b"],
  ["private use", "/a\ue000b"],
  ["specials", "/a\ufff0b"],
  ["beyond the BMP", "/a\u{1f600}b"],
  ["one byte too long", `/${"a".repeat(limits.path)}`],
  ["too long in UTF-8 only", `/${"é".repeat(limits.path / 2)}`],
];

describe("malformed paths are BAD_ARGUMENTS", () => {
  it.each(malformedPaths)("%s", async (_name, path) => {
    const { tree, watches } = await connected();
    const session = await connection.openSession();
    const spec = { path, scope: 1 };
    const calls: Record<string, Promise<unknown>> = {
      create: tree.create({ path }),
      delete: tree.delete({ path }),
      deleteSubtree: tree.deleteSubtree({ path }),
      exists: tree.exists({ path }),
      getData: tree.getData({ path }),
      setData: tree.setData({ path }),
      listChildren: tree.listChildren({ path }),
      countDescendants: tree.countDescendants({ path }),
      getAcl: tree.getAcl({ path }),
      setAcl: tree.setAcl({ path, acl: [{ permissions: [Permission.READ], scheme: "world", id: "anyone" }] }),
      multi: tree.multi({ operations: [{ operation: { case: "create", value: { path } } }] }),
      streamSubtree: drain(tree.streamSubtree({ path })),
      watch: drain(watches.watch({ spec })),
      onStream: session.request("setData", { path }),
      readOnStream: session.request("getData", { path }),
      watchOnStream: session.request("addWatch", { watchId: 1n, spec }),
      multiOnStream: session.request("multi", { operations: [{ operation: { case: "setData", value: { path } } }] }),
    };
    const reasons = await reasonsOf(Object.values(calls));
    const expected = Object.keys(calls).map((name) => [name, "BAD_ARGUMENTS"]);
    expect(Object.keys(calls).map((name, index) => [name, reasons[index]])).toEqual(expected);
    const { info, status, code } = await connectCall("zabtree.v1.TreeService/Create", { path });
    expect([status, code, info?.reason, info?.domain]).toEqual([400, "invalid_argument", "BAD_ARGUMENTS", "zabtree"]);
    await session.close();
  });

  it("and in a MultiRead the error of that operation", async () => {
    const { tree } = await connected();
    const operations = [
      { operation: { case: "getData" as const, value: { path: "/there" } } },
      { operation: { case: "getData" as const, value: { path: "/a//b" } } },
      { operation: { case: "getData" as const, value: { path: "/absent" } } },
    ];
    const { results } = await tree.multiRead({ operations });
    const reasons = results.map(({ result }) => (result.case === "error" ? result.value.reason : result.case));
    expect(reasons).toEqual(["getData", "BAD_ARGUMENTS", "NO_NODE"]);
  });

  it("not even UTF-8", async () => {
    const raw = new RawClient(server.address);
    // Field 1, two bytes: a lone continuation byte cannot be in a string.
    const { ended } = await raw.unary("/zabtree.v1.TreeService/Create", Buffer.from([0x0a, 0x02, 0x2f, 0x80]));
    expect([0, 14]).not.toContain(ended.code);
    const { tree } = await connected();
    expect((await tree.exists({ path: "/\ufffd" }).catch(() => ({ stat: undefined }))).stat).toBeUndefined();
  });
});

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  let count = 0;
  for await (const _message of stream) if (++count > 1000) throw new Error("the stream goes on");
}

describe("sizes", () => {
  it("takes 1 MiB of data and refuses one byte more", async () => {
    const { tree } = await connected();
    const session = await connection.openSession();
    const most = new Uint8Array(mebibyte).fill(7);
    const more = new Uint8Array(mebibyte + 1);
    await tree.create({ path: "/most", data: most });
    expect(Buffer.compare((await tree.getData({ path: "/most" })).data!, most)).toBe(0);
    await session.request("setData", { path: "/most", data: most });
    expect((await session.request("getData", { path: "/most" })).data?.length).toBe(mebibyte);
    const operation = { case: "setData" as const, value: { path: "/most", data: more } };
    const tooLarge = [
      tree.create({ path: "/more", data: more }),
      tree.setData({ path: "/most", data: more }),
      session.request("setData", { path: "/most", data: more }),
      session.request("create", { path: "/more", data: more }),
      tree.multi({ operations: [{ operation }] }),
    ];
    for (const { reason, metadata } of await Promise.all(tooLarge.map(refusedWith))) {
      expect(reason).toBe("DATA_TOO_LARGE");
      expect(metadata).toMatchObject({ limit: String(mebibyte), actual: String(mebibyte + 1) });
    }
    const data = Buffer.from(more).toString("base64");
    const { info, status } = await connectCall("zabtree.v1.TreeService/SetData", { path: "/most", data });
    expect([status, info?.reason]).toEqual([400, "DATA_TOO_LARGE"]);
    expect((await tree.getData({ path: "/most" })).stat?.version).toBe(1);
    await session.close();
  });

  it("refuses a message above 3 MiB without closing the connection", async () => {
    const raw = new RawClient(server.address);
    const path = "/zabtree.v1.TreeService/Create";
    const request = toBinary(
      CreateRequestSchema,
      create(CreateRequestSchema, { path: "/x", data: random(3 * mebibyte) }),
    );
    const other = raw.unary("/zabtree.v1.TreeService/Exists", Buffer.from("\n\x06/there", "latin1"));
    expect((await raw.unary(path, request)).ended.code).toBe(8);
    expect((await other).ended.code).toBe(0);
    expect((await raw.unary("/zabtree.v1.TreeService/Sync", new Uint8Array(0))).ended.code).toBe(0);
    const { status, code } = await connectCall("zabtree.v1.TreeService/Create", { data: "A".repeat(3 * mebibyte + 4) });
    expect([status, code]).toEqual([429, "resource_exhausted"]);
  });

  it("refuses a session message above 3 MiB, and the session lives on", async () => {
    const { sessions, tree } = await connected();
    const secret = random(32);
    const { sessionId } = await sessions.openSession({ clientKey: random(32), secret });
    const stream = rawStream(new RawClient(server.address));
    stream.send({ attach: { sessionId, secret } });
    await stream.until(({ case: kind }) => kind === "attached");
    stream.sendBytes(random(3 * mebibyte + 1));
    expect((await stream.ended).code).toBe(8);
    await tree.exists({ path: "/" }, { session: { id: sessionId, secret } });
  });

  it("counts operations and bytes of a multi", async () => {
    const { tree } = await connected();
    const many = (count: number, bytes = 0) =>
      Array.from({ length: count }, (_, index) => ({
        operation: { case: "create" as const, value: { path: `/m${index}`, data: new Uint8Array(bytes) } },
      }));
    expect((await refusedWith(tree.multi({ operations: [] }))).reason).toBe("BAD_ARGUMENTS");
    const tooMany = await refusedWith(tree.multi({ operations: many(limits.multiOperations + 1) }));
    expect(tooMany).toMatchObject({ reason: "REQUEST_TOO_LARGE", metadata: { limit: "1000", actual: "1001" } });
    const tooMuch = await refusedWith(tree.multi({ operations: many(3, 700 * 1024) }));
    expect(tooMuch.reason).toBe("REQUEST_TOO_LARGE");
    expect((await tree.exists({ path: "/m0" })).stat).toBeUndefined();
    await tree.multi({ operations: many(limits.multiOperations) });
    const reads = Array.from({ length: 1001 }, () => ({
      operation: { case: "exists" as const, value: { path: "/" } },
    }));
    expect((await refusedWith(tree.multiRead({ operations: reads }))).reason).toBe("REQUEST_TOO_LARGE");
    const large = Array.from({ length: 4 }, () => ({
      operation: { case: "getData" as const, value: { path: "/most" } },
    }));
    expect((await refusedWith(tree.multiRead({ operations: large }))).reason).toBe("RESPONSE_TOO_LARGE");
  });
});

describe("modes, versions, ACLs", () => {
  it("refuses what it does not know or what does not match", async () => {
    const { tree } = await connected();
    const session = await connection.openSession();
    const world = { permissions: [Permission.READ], scheme: "world", id: "anyone" };
    const path = "/there";
    const acls: MessageInitShape<typeof CreateRequestSchema>["acl"][] = [
      [{ ...world, scheme: "nobody-knows" }],
      [{ ...world, id: "somebody" }],
      [{ ...world, permissions: [] }],
      [{ ...world, permissions: [Permission.UNSPECIFIED] }],
      [{ ...world, permissions: [77 as Permission] }],
      [{ ...world, scheme: "ip", id: "300.1.1.1" }],
      [{ ...world, scheme: "ip", id: "10.0.0.0/33" }],
      [{ ...world, scheme: "digest", id: "no-colon" }],
      [{ ...world, scheme: "digest", id: `u:${"x".repeat(300)}` }],
      [{ ...world, scheme: "auth", id: "" }],
      Array.from({ length: 65 }, () => world),
    ];
    const calls: (readonly [Promise<unknown>, string])[] = [
      [tree.create({ path: "/mode", mode: 99 as CreateMode }), "BAD_ARGUMENTS"],
      [session.request("create", { path: "/mode", mode: -1 as CreateMode }), "BAD_ARGUMENTS"],
      [tree.create({ path: "/mode", mode: CreateMode.EPHEMERAL }), "SESSION_REQUIRED"],
      [tree.create({ path }), "NODE_EXISTS"],
      [tree.create({ path: "/" }), "NODE_EXISTS"],
      [tree.create({ path: "/absent/child" }), "NO_NODE"],
      [tree.setData({ path, expectedVersion: 5 }), "BAD_VERSION"],
      [session.request("setData", { path, expectedVersion: -1 }), "BAD_VERSION"],
      [tree.delete({ path, expectedVersion: 5 }), "BAD_VERSION"],
      [tree.delete({ path }), "NOT_EMPTY"],
      [tree.delete({ path: "/" }), "BAD_ARGUMENTS"],
      [tree.delete({ path: "/zookeeper" }), "BAD_ARGUMENTS"],
      [tree.deleteSubtree({ path: "/" }), "BAD_ARGUMENTS"],
      [tree.delete({ path: "/absent" }), "NO_NODE"],
      [tree.setAcl({ path, acl: [world], expectedAclVersion: 5 }), "BAD_VERSION"],
      [tree.setAcl({ path, acl: [] }), "INVALID_ACL"],
      [tree.listChildren({ path, pageSize: -1 }), "BAD_ARGUMENTS"],
      [tree.listChildren({ path, pageToken: "*?" }), "BAD_ARGUMENTS"],
      [tree.getData({ path, consistency: 9 as never }), "BAD_ARGUMENTS"],
      [tree.getData({ path, minZxid: -1n }), "BAD_ARGUMENTS"],
      [tree.getData({ path, watchId: 1n }), "BAD_ARGUMENTS"],
      [tree.multi({ operations: [{}] }), "BAD_ARGUMENTS"],
      [tree.multi({ operations: [{ operation: { case: "check", value: { path } } }] }), "BAD_ARGUMENTS"],
      [drain(tree.streamSubtree({ path, resumeAfter: "/elsewhere" })), "BAD_ARGUMENTS"],
      [drain(connection.watches.watch({})), "BAD_ARGUMENTS"],
      [drain(connection.watches.watch({ spec: { path, scope: 0 } })), "BAD_ARGUMENTS"],
      [drain(connection.watches.watch({ spec: { path, scope: 9 as never } })), "BAD_ARGUMENTS"],
      [session.request("addWatch", { watchId: 0n, spec: { path, scope: 1 } }), "BAD_ARGUMENTS"],
      [session.request("cancelWatch", { watchId: 4711n }), "NO_WATCHER"],
      ...acls.map((acl) => [tree.create({ path: "/acl", acl: acl! }), "INVALID_ACL"] as const),
      ...acls.map((acl) => [session.request("setAcl", { path, acl: acl! }), "INVALID_ACL"] as const),
    ];
    await expectRefused(calls);
    expect((await tree.exists({ path: "/acl" })).stat).toBeUndefined();
    await session.close();
  });

  it("names the operation of a multi that failed, and does nothing of it", async () => {
    const { tree } = await connected();
    const operations = [
      { operation: { case: "create" as const, value: { path: "/all-or-nothing" } } },
      { operation: { case: "setData" as const, value: { path: "/there", expectedVersion: 99 } } },
    ];
    const { reason, metadata } = await refusedWith(tree.multi({ operations }));
    expect(reason).toBe("BAD_VERSION");
    expect(metadata).toMatchObject({ operation: "1", path: "/there", expected_version: "99" });
    expect((await tree.exists({ path: "/all-or-nothing" })).stat).toBeUndefined();
  });

  it("lets nobody past an ACL, and tells strangers nothing of the data", async () => {
    const { tree } = await server.connect({ auth: { user: "owner", password: "secret" } });
    const all = [Permission.READ, Permission.WRITE, Permission.CREATE, Permission.DELETE, Permission.ADMIN];
    const acl = [{ permissions: all, scheme: "auth", id: "" }];
    await tree.create({ path: "/private", data: text("hidden"), acl });
    await tree.create({ path: "/private/below", acl });
    const stranger = await server.connect({ auth: { user: "owner", password: "wrong" } });
    const session = await stranger.openSession();
    const path = "/private";
    const watch = session.request("addWatch", { watchId: 1n, spec: { path, scope: 3, includeData: true } });
    await watch;
    const calls = [
      stranger.tree.getData({ path }),
      stranger.tree.exists({ path }),
      stranger.tree.setData({ path }),
      stranger.tree.listChildren({ path }),
      stranger.tree.countDescendants({ path }),
      stranger.tree.getAcl({ path }),
      stranger.tree.setAcl({ path, acl: [{ permissions: all, scheme: "world", id: "anyone" }] }),
      stranger.tree.create({ path: `${path}/new` }),
      stranger.tree.delete({ path: `${path}/below` }),
      drain(stranger.tree.streamSubtree({ path })),
      session.request("getData", { path }),
      session.request("setData", { path }),
    ];
    await expectRefused(calls.map((call) => [call, "NO_AUTH"]));
    const seen: string[] = [];
    for await (const { znodes } of stranger.tree.streamSubtree({ path: "/" })) seen.push(...znodes.map((z) => z.path));
    expect(seen.filter((each) => each.startsWith(path))).toEqual([]);
    await session.close();
  });
});

/** A session stream as bytes, with what came back. */
function rawStream(raw: RawClient) {
  const call = raw.stream("/zabtree.v1.SessionService/AttachSession");
  const frames: SessionFrame["frame"][] = [];
  call.on("data", (bytes: Buffer) => {
    for (const { frame } of fromBinary(AttachSessionResponseSchema, bytes).frames) frames.push(frame);
  });
  const ended = new Promise<Ended>((resolve) => {
    call.on("error", (error: Parameters<typeof endedOf>[0]) => {
      resolve(endedOf(error));
    });
    call.on("end", () => {
      resolve(endedOf(null));
    });
  });
  return {
    frames,
    ended: within(15_000, "the stream ends", ended),
    send: (message: MessageInitShape<typeof AttachSessionRequestSchema>) => {
      call.write(toBinary(AttachSessionRequestSchema, create(AttachSessionRequestSchema, message)));
    },
    sendBytes: (bytes: Uint8Array) => {
      call.write(bytes);
    },
    finish: () => {
      call.end();
    },
    until: async (accept: (frame: SessionFrame["frame"]) => boolean) =>
      await until("a frame comes", () => frames.find((frame) => accept(frame))),
  };
}

describe("sessions", () => {
  it("refuses malformed openings", async () => {
    const { sessions } = await connected();
    const ok = { clientKey: random(16), secret: random(16) };
    const credential = (scheme: string, data: string) => [{ scheme, data: text(data) }];
    const calls: (readonly [Promise<unknown>, string])[] = [
      [sessions.openSession({ ...ok, clientKey: random(15) }), "BAD_ARGUMENTS"],
      [sessions.openSession({ ...ok, secret: random(65) }), "BAD_ARGUMENTS"],
      [sessions.openSession({ ...ok, secret: new Uint8Array(0) }), "BAD_ARGUMENTS"],
      [sessions.openSession({ ...ok, timeoutMs: -1 }), "BAD_ARGUMENTS"],
      [sessions.openSession({ ...ok, credentials: credential("kerberos", "x") }), "AUTH_FAILED"],
      [sessions.openSession({ ...ok, credentials: credential("digest", "no colon") }), "AUTH_FAILED"],
      [sessions.openSession({ ...ok, credentials: credential("digest", `u:${"x".repeat(600)}`) }), "AUTH_FAILED"],
      [
        sessions.openSession({ ...ok, credentials: Array.from({ length: 9 }, () => credential("digest", "u:p")[0]!) }),
        "BAD_ARGUMENTS",
      ],
    ];
    await expectRefused(calls);
    // The same key is the same session; with another secret it is somebody else's.
    const opened = await sessions.openSession(ok);
    expect((await sessions.openSession(ok)).sessionId).toBe(opened.sessionId);
    expect((await refusedWith(sessions.openSession({ ...ok, secret: random(16) }))).reason).toBe("BAD_ARGUMENTS");
    expect((await sessions.openSession({ ...ok, clientKey: random(16), timeoutMs: 1 })).timeoutMs).toBe(1000);
    expect((await sessions.openSession({ ...ok, clientKey: random(16), timeoutMs: 1e9 })).timeoutMs).toBe(120_000);
  });

  it("knows neither unknown sessions, wrong secrets, closed nor expired ones", async () => {
    const { sessions, tree } = await connected();
    const secret = random(32);
    const { sessionId: id } = await sessions.openSession({ clientKey: random(32), secret });
    const { sessionId: closedId } = await sessions.openSession({ clientKey: random(32), secret });
    await sessions.closeSession({}, { session: { id: closedId, secret } });
    const { sessionId: expiredId } = await sessions.openSession({ clientKey: random(32), secret, timeoutMs: 1000 });
    await until(
      "the session expires",
      async () => {
        const session = { id: expiredId, secret };
        const outcome = await sessions.getOutcome({ seq: 1n }, { session });
        return outcome.sessionEnded;
      },
      { everyMs: 100 },
    );
    const foreign = [
      { id, secret: random(32) },
      { id, secret: new Uint8Array(0) },
      { id: 999_999_999n, secret },
      { id: 0n, secret },
      { id: closedId, secret },
      { id: expiredId, secret },
    ];
    for (const session of foreign) {
      const calls = [
        tree.getData({ path: "/there" }, { session }),
        tree.create({ path: "/e", mode: CreateMode.EPHEMERAL }, { session }),
        sessions.keepSessionAlive({}, { session }),
        sessions.closeSession({}, { session }),
        sessions.whoAmI({}, { session }),
        drain(connection.watches.watch({ spec: { path: "/", scope: 1 } }, { session })),
      ];
      await expectRefused(calls.map((call) => [call, "SESSION_EXPIRED"]));
      const stream = rawStream(new RawClient(server.address));
      stream.send({ attach: { sessionId: session.id, secret: session.secret } });
      expect(await stream.ended).toMatchObject({ code: 9, reason: "SESSION_EXPIRED" });
      expect(stream.frames.map(({ value }) => (value as { reason?: string }).reason)).toEqual(["SESSION_EXPIRED"]);
    }
    expect((await refusedWith(sessions.getOutcome({ seq: 1n }, { session: foreign[0]! }))).reason).toBe(
      "SESSION_EXPIRED",
    );
    const without = [sessions.keepSessionAlive({}), sessions.closeSession({}), tree.listEphemerals({})];
    await expectRefused(without.map((call) => [call, "SESSION_REQUIRED"]));
    await sessions.keepSessionAlive({}, { session: { id, secret } });
  });

  it("refuses malformed metadata", async () => {
    const raw = new RawClient(server.address);
    const path = "/zabtree.v1.SessionService/WhoAmI";
    const secret = Buffer.from(random(32));
    const malformed: Record<string, string | Buffer>[] = [
      { "zabtree-session-id": "abc", "zabtree-session-secret-bin": secret },
      { "zabtree-session-id": "-1", "zabtree-session-secret-bin": secret },
      { "zabtree-session-id": "1e3", "zabtree-session-secret-bin": secret },
      { "zabtree-session-id": "99999999999999999999", "zabtree-session-secret-bin": secret },
      { "zabtree-session-id": "1" },
    ];
    for (const metadata of malformed) {
      expect((await raw.unary(path, new Uint8Array(0), metadata)).ended.reason, JSON.stringify(metadata)).toBe(
        "BAD_ARGUMENTS",
      );
    }
    for (const authorization of [
      "Bearer token",
      "Basic",
      "Basic ???",
      `Basic ${Buffer.from("nocolon").toString("base64")}`,
    ]) {
      const { ended } = await raw.unary(path, new Uint8Array(0), { authorization });
      expect(ended, authorization).toMatchObject({ code: 16, reason: "AUTH_FAILED" });
      const connectAnswer = await connectCall(path.slice(1), {}, { authorization });
      expect([connectAnswer.status, connectAnswer.info?.reason]).toEqual([401, "AUTH_FAILED"]);
    }
  });

  it("keeps the order of seqs: gaps, repeats, reuse and what is forgotten are told apart", async () => {
    const { sessions, tree } = await connected();
    const secret = random(32);
    const { sessionId: id } = await sessions.openSession({ clientKey: random(32), secret });
    const session = { id, secret };
    const options = { session };
    const path = "/seq";
    await tree.create({ path, seq: 1n }, options);
    const first = await tree.setData({ path, seq: 2n, data: text("a") }, options);
    const repeated = await tree.setData({ path, seq: 2n, data: text("a") }, options);
    expect(repeated.header?.zxid).toBe(first.header?.zxid);
    expect(repeated.stat?.version).toBe(1);
    expect((await refusedWith(tree.setData({ path, seq: 2n, data: text("b") }, options))).reason).toBe(
      "SEQUENCE_REUSED",
    );
    expect((await refusedWith(tree.setData({ path, seq: -1n }, options))).reason).toBe("BAD_ARGUMENTS");
    expect((await refusedWith(tree.setData({ path, seq: 1n }))).reason).toBe("SESSION_REQUIRED");
    // A gap is refused at once when it is wide, and after a wait when the seqs between may still come.
    expect((await refusedWith(tree.setData({ path, seq: 5000n }, options))).reason).toBe("SEQUENCE_GAP");
    const gap = await refusedWith(tree.setData({ path, seq: 4n }, options));
    expect(gap).toMatchObject({ reason: "SEQUENCE_GAP", metadata: { seq: "4", expected_seq: "3" } });
    // A refusal takes its seq with it.
    expect((await refusedWith(tree.delete({ path: "/absent", seq: 3n }, options))).reason).toBe("NO_NODE");
    expect((await refusedWith(tree.delete({ path: "/absent", seq: 3n }, options))).reason).toBe("NO_NODE");
    await tree.setData({ path, seq: 4n, ackedSeq: 3n }, options);
    expect((await refusedWith(tree.setData({ path, seq: 2n, data: text("a") }, options))).reason).toBe(
      "SEQUENCE_TOO_OLD",
    );
    for (let seq = 5n; seq <= 3n + 256n; seq++) await tree.setData({ path, seq }, options);
    expect((await refusedWith(tree.setData({ path, seq: 260n }, options))).reason).toBe("TOO_MANY_UNACKNOWLEDGED");
    await tree.setData({ path, seq: 260n, ackedSeq: 259n }, options);
    expect((await tree.getData({ path })).stat?.version).toBe(258);
    const outcomes = async (seq: bigint) => (await sessions.getOutcome({ seq }, options)).state;
    expect([await outcomes(260n), await outcomes(261n), await outcomes(2n)]).toEqual([3, 1, 5]);
    expect((await refusedWith(sessions.getOutcome({ seq: 0n }, options))).reason).toBe("BAD_ARGUMENTS");
    const operations = [{ operation: { case: "delete" as const, value: { path, seq: 1n } } }];
    expect((await refusedWith(tree.multi({ operations }, options))).reason).toBe("BAD_ARGUMENTS");
  }, 60_000);
});

describe("session streams", () => {
  async function opened() {
    const raw = new RawClient(server.address);
    const secret = random(32);
    const request = create(OpenSessionRequestSchema, { clientKey: random(32), secret });
    const answer = await raw.unary(
      "/zabtree.v1.SessionService/OpenSession",
      toBinary(OpenSessionRequestSchema, request),
    );
    const { sessionId } = fromBinary(OpenSessionResponseSchema, answer.response!);
    return { raw, sessionId, secret };
  }

  it.each<[string, (stream: ReturnType<typeof rawStream>) => void]>([
    ["does not begin with attach", (stream) => stream.send({ heartbeat: { id: 1n } })],
    [
      "begins with requests",
      (stream) => stream.send({ requests: [{ callId: 1n, operation: { case: "getData", value: { path: "/" } } }] }),
    ],
    ["begins with nothing", (stream) => stream.send({})],
    ["is no protobuf", (stream) => stream.sendBytes(Buffer.from("GET / HTTP/1.1\r\n\r\n"))],
    ["is random", (stream) => stream.sendBytes(Buffer.concat([Buffer.from([0xff]), random(1000)]))],
  ])("a stream that %s ends with BAD_ARGUMENTS", async (_name, send) => {
    const { raw } = await opened();
    const stream = rawStream(raw);
    send(stream);
    expect(await stream.ended).toMatchObject({ code: 3, reason: "BAD_ARGUMENTS" });
    expect((await raw.unary("/zabtree.v1.TreeService/Sync", new Uint8Array(0))).ended.code).toBe(0);
  });

  it("answers what cannot be understood in its turn, and ends at what cannot be decoded", async () => {
    const { raw, sessionId, secret } = await opened();
    const stream = rawStream(raw);
    stream.send({
      attach: { sessionId, secret },
      requests: [
        { callId: 1n, operation: { case: "getData", value: { path: "/there" } } },
        { callId: 2n },
        { callId: 3n, operation: { case: "setData", value: { path: "/there", seq: -4n } } },
        { callId: 4n, operation: { case: "multi", value: { operations: [{}] } } },
        { callId: 5n, operation: { case: "getData", value: { path: "/there" } } },
      ],
    });
    await stream.until((frame) => frame.case === "response" && frame.value.callId === 5n);
    const answers = stream.frames.flatMap((frame) => (frame.case === "response" ? [frame.value] : []));
    expect(answers.map(({ callId }) => Number(callId))).toEqual([1, 2, 3, 4, 5]);
    const results = answers.map(({ result }) => (result.case === "error" ? result.value.reason : result.case));
    expect(results).toEqual(["getData", "BAD_ARGUMENTS", "BAD_ARGUMENTS", "BAD_ARGUMENTS", "getData"]);
    // A length that points behind the end.
    stream.sendBytes(Buffer.from([0x1a, 0x7f, 0x08]));
    expect(await stream.ended).toMatchObject({ code: 3, reason: "BAD_ARGUMENTS" });
    const again = rawStream(raw);
    again.send({ attach: { sessionId, secret } });
    await again.until(({ case: kind }) => kind === "attached");
    again.send({ attach: { sessionId, secret } });
    expect(await again.ended).toMatchObject({ code: 3, reason: "BAD_ARGUMENTS" });
  });

  it("survives every prefix of a valid message and every flip of one of its bits", async () => {
    const { raw, sessionId, secret } = await opened();
    const message = toBinary(
      AttachSessionRequestSchema,
      create(AttachSessionRequestSchema, {
        attach: { sessionId, secret, lastZxid: 1n },
        ackedSeq: 0n,
        requests: [
          { callId: 1n, operation: { case: "create", value: { path: "/fuzz", data: text("d"), mode: 1 } } },
          {
            callId: 2n,
            operation: {
              case: "multiRead",
              value: { operations: [{ operation: { case: "getData", value: { path: "/" } } }] },
            },
          },
        ],
        heartbeat: { id: 1n },
      }),
    );
    const variants: Uint8Array[] = [];
    for (let length = 0; length < message.length; length++) variants.push(message.slice(0, length));
    for (let at = 0; at < message.length; at++) {
      const flipped = Uint8Array.from(message);
      flipped[at]! ^= 1 << (at % 8);
      variants.push(flipped);
    }
    for (const variant of variants) {
      const stream = rawStream(raw);
      stream.sendBytes(variant);
      stream.finish();
      await stream.ended;
    }
    expect(server.alive).toBe(true);
    expect(server.errors).toBe("");
    const after: Session = await (await connected()).openSession();
    await after.request("getData", { path: "/there" });
    await after.close();
  }, 60_000);

  it("a newer stream takes the session over", async () => {
    const { raw, sessionId, secret } = await opened();
    const older = rawStream(raw);
    older.send({ attach: { sessionId, secret } });
    await older.until(({ case: kind }) => kind === "attached");
    const newer = rawStream(raw);
    newer.send({ attach: { sessionId, secret } });
    expect(await older.ended).toMatchObject({ code: 10, reason: "SESSION_MOVED" });
    await newer.until(({ case: kind }) => kind === "attached");
    newer.finish();
    expect((await newer.ended).code).toBe(0);
  });
});

it("refuses a zxid or a cursor from the future, and a cursor of another ensemble", async () => {
  const { tree, watches } = await connected();
  const started = performance.now();
  const future = await refusedWith(tree.getData({ path: "/", minZxid: 999_999n }));
  expect(future.reason).toBe("ZXID_NOT_REACHED");
  expect(performance.now() - started).toBeGreaterThan(limits.waitMs - 500);
  const clusterId = (await tree.sync({})).header!.clusterId;
  const watch = (value: { clusterId: string; zxid: bigint; op: number }) =>
    drain(watches.watch({ spec: { path: "/", scope: 3, start: { case: "resumeAfter", value } } }));
  expect((await refusedWith(watch({ clusterId, zxid: 999_999n, op: 0 }))).reason).toBe("ZXID_NOT_REACHED");
  expect((await refusedWith(watch({ clusterId: "0".repeat(32), zxid: 1n, op: 0 }))).reason).toBe("WRONG_CLUSTER");
  expect((await refusedWith(watch({ clusterId, zxid: -1n, op: 0 }))).reason).toBe("BAD_ARGUMENTS");
  expect((await refusedWith(watch({ clusterId, zxid: 1n, op: -1 }))).reason).toBe("BAD_ARGUMENTS");
}, 20_000);

it("answers calls it does not know, and malformed JSON, in the words of the transport", async () => {
  const raw = new RawClient(server.address);
  expect((await raw.unary("/zabtree.v1.TreeService/Nothing", new Uint8Array(0))).ended.code).toBe(12);
  expect((await raw.unary("/no.such.Service/Call", new Uint8Array(0))).ended.code).toBe(12);
  const garbage = await raw.unary("/zabtree.v1.TreeService/GetData", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff]));
  expect([0, 14]).not.toContain(garbage.ended.code);
  expect((await connectCall("zabtree.v1.TreeService/GetData", "{")).status).toBe(400);
  expect((await connectCall("zabtree.v1.TreeService/GetData", { pathh: "/" })).status).toBe(400);
  expect((await connectCall("zabtree.v1.TreeService/GetData", { path: 7 })).status).toBe(400);
  expect((await connectCall("zabtree.v1.TreeService/GetData", { path: "/absent" })).info?.reason).toBe("NO_NODE");
  expect(server.errors).toBe("");
});
