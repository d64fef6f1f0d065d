/** Clients that stop reading: they cost bounded memory, nobody else waits for them, and nothing is lost silently. */
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, expect, it } from "vitest";
import type { Cursor } from "../../gen/ts/zabtree/v1/common_pb.js";
import {
  AttachSessionRequestSchema,
  AttachSessionResponseSchema,
  type SessionFrame,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { StreamSubtreeRequestSchema, StreamSubtreeResponseSchema } from "../../gen/ts/zabtree/v1/tree_pb.js";
import {
  WatchRequestSchema,
  WatchResponseSchema,
  type WatchEvent,
  type WatchUpdate,
  type WatchSpecSchema,
} from "../../gen/ts/zabtree/v1/watch_pb.js";
import type { Connection } from "../../src/client/index.ts";
import { connect as connectTcp } from "node:net";
import { cleanUp, Http2Call, mebibyte, random, Server, until, within } from "./harness.ts";

/** How many clients do not read at the same time. */
const clients = 16;
/** What a server may grow by because of them; what waits for each is a multiple of that. */
const allowedGrowth = 192 * mebibyte;
/** And what one of them may cost. */
const allowedForOne = 64 * mebibyte;
const valueBytes = 100 * 1024;
const znodes = 400;

let server: Server;
let connection: Connection;

beforeAll(async () => {
  server = await Server.start({ shared: true, http: true });
  const setUp = await server.connect();
  await setUp.tree.create({ path: "/large" });
  const value = random(valueBytes);
  for (let from = 0; from < znodes; from += 16) {
    const operations = Array.from({ length: 16 }, (_, index) => {
      const path = `/large/n${String(from + index).padStart(4, "0")}`;
      return { operation: { case: "create" as const, value: { path, data: value } } };
    });
    await setUp.tree.multi({ operations });
  }
  await setUp.tree.create({ path: "/changing" });
});

/** A call that does not read until it is asked to, with what its messages hold. */
function readLater<T>(method: string, message: Uint8Array, decode: (bytes: Buffer) => T[]) {
  const call = new Http2Call(server.address, method).write(message);
  let decoded = 0;
  const items: T[] = [];
  return {
    call,
    items: () => {
      for (; decoded < call.messages.length; decoded++) items.push(...decode(call.messages[decoded]!));
      return items;
    },
    ended: async () => await within(30_000, "the stream ends", call.ended),
  };
}

const attachSession = "/zabtree.v1.SessionService/AttachSession";
const watchMethod = "/zabtree.v1.WatchService/Watch";
const streamSubtree = "/zabtree.v1.TreeService/StreamSubtree";

function framesOf(bytes: Buffer): SessionFrame["frame"][] {
  return fromBinary(AttachSessionResponseSchema, bytes).frames.map(({ frame }) => frame);
}

async function openSession() {
  const secret = random(32);
  const { sessionId } = await connection.sessions.openSession({
    clientKey: random(32),
    secret,
    timeoutMs: 60_000,
  });
  return { sessionId, secret };
}

function sessionMessage(message: MessageInitShape<typeof AttachSessionRequestSchema>): Uint8Array {
  return toBinary(AttachSessionRequestSchema, create(AttachSessionRequestSchema, message));
}

/** Runs something while the memory of the server and the latency of other clients are watched. */
async function whileWatched(run: () => Promise<void>, allowed = allowedGrowth): Promise<void> {
  connection = await server.connect();
  await connection.tree.exists({ path: "/" });
  const before = server.residentBytes;
  let most = before;
  const latencies: number[] = [];
  const over = new AbortController();
  const observer = (async () => {
    while (!over.signal.aborted) {
      const asked = performance.now();
      await connection.tree.exists({ path: "/" });
      latencies.push(performance.now() - asked);
      most = Math.max(most, server.residentBytes);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  try {
    await run();
  } finally {
    over.abort();
    await observer;
  }
  expect(most - before).toBeLessThan(allowed);
  latencies.sort((a, b) => a - b);
  expect(latencies[Math.floor(latencies.length / 2)]).toBeLessThan(250);
  expect(server.errors).toBe("");
}

async function untilWatched(count: number): Promise<void> {
  let found = -1;
  const look = async () => {
    found = Number((await connection.cluster.getStatus({})).watches);
    return found === count;
  };
  await until("as many watches are in force as there should be", look).catch(() => undefined);
  expect(found).toBe(count);
}

function cursorOf(updates: readonly (WatchUpdate | undefined)[]): Cursor | undefined {
  return updates.findLast((update) => update?.cursor !== undefined)?.cursor;
}

/** Waits until a server has nothing more to do for a client that does not read. */
async function untilStill(look: () => number | Promise<number>): Promise<void> {
  let last = Number.NaN;
  let same = 0;
  await until("the server waits for the client", async () => {
    const now = await look();
    same = now === last ? same + 1 : 0;
    last = now;
    return same === 10;
  });
}

it("pipelined reads on a session stream wait, and are all answered in order when it reads again", async () => {
  await whileWatched(async () => {
    const session = await openSession();
    const stream = readLater(attachSession, sessionMessage({ attach: session }), framesOf);
    const { call } = stream;
    const count = 1500;
    for (let from = 0; from < count; from += 100) {
      const requests = Array.from({ length: 100 }, (_, index) => ({
        callId: BigInt(from + index + 1),
        operation: {
          case: "getData" as const,
          value: { path: `/large/n${String((from + index) % znodes).padStart(4, "0")}` },
        },
      }));
      call.write(sessionMessage({ requests }));
    }
    await untilStill(() => server.residentBytes);
    // 150 MB of answers wait in the server's tree, not in its buffers.
    expect(stream.items().length).toBeLessThan(count);
    call.read();
    await until("everything is answered", () => stream.items().length === count + 1, { timeoutMs: 30_000 });
    const ids = stream
      .items()
      .slice(1)
      .map((frame) => {
        if (frame.case !== "response" || frame.value.result.case !== "getData") throw new Error("not a response");
        expect(frame.value.result.value.data?.length).toBe(valueBytes);
        return Number(frame.value.callId);
      });
    expect(ids).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    call.finish();
    await stream.ended();
  }, allowedForOne);
}, 60_000);

/** Sets data often enough to overrun a client that does not read; returns the version after the last. */
async function change(times: number): Promise<number> {
  const session = await connection.openSession();
  const data = random(valueBytes);
  let version = 0;
  const one = async () => {
    const { stat } = await session.request("setData", { path: "/changing", data });
    version = Math.max(version, stat!.version);
  };
  for (let done = 0; done < times; done += 20) await Promise.all(Array.from({ length: 20 }, one));
  await session.close();
  return version;
}

function expectNoGap(events: readonly WatchEvent[], from: number, to: number): void {
  const versions = events.map(({ stat }) => stat!.version);
  expect(versions).toEqual(Array.from({ length: to - from }, (_, index) => from + 1 + index));
}

async function changingVersion(): Promise<number> {
  return (await connection.tree.exists({ path: "/changing" })).stat!.version;
}

const changingSpec: MessageInitShape<typeof WatchSpecSchema> = { path: "/changing", scope: 1, includeData: true };

it("a session stream with watches is cut off, and resumes from its last cursor without a gap", async () => {
  await whileWatched(async () => {
    const from = await changingVersion();
    const session = await openSession();
    const attach = (attach: typeof session, spec: MessageInitShape<typeof WatchSpecSchema>) => {
      const requests = [{ callId: 1n, operation: { case: "addWatch" as const, value: { watchId: 1n, spec } } }];
      return readLater(attachSession, sessionMessage({ attach, requests }), framesOf);
    };
    const updatesOf = (items: readonly SessionFrame["frame"][]) =>
      items.flatMap((frame) =>
        frame.case === "watch" && frame.value.update !== undefined ? [frame.value.update] : [],
      );

    const first = attach(session, changingSpec);
    for (let index = 1; index < clients; index++) attach(await openSession(), changingSpec);
    await untilWatched(clients);
    const to = await change(200);
    expect(to - from).toBe(200);
    await untilWatched(0);
    first.call.read();
    expect(await first.ended()).toMatchObject({ code: 8, reason: "SLOW_CONSUMER" });
    // The last frame says so too.
    const last = first.items().at(-1);
    expect(last?.case === "ended" && last.value.reason).toBe("SLOW_CONSUMER");
    const seen = updatesOf(first.items()).flatMap(({ events }) => events);
    expect(seen.length).toBeLessThan(200);

    let cursor: Cursor | undefined;
    for (const update of updatesOf(first.items())) cursor = update.cursor ?? cursor;
    const second = attach(session, { ...changingSpec, start: { case: "resumeAfter", value: cursor! } });
    second.call.read();
    const all = () => [...seen, ...updatesOf(second.items()).flatMap(({ events }) => events)];
    await until("the rest comes", () => all().length >= 200);
    expectNoGap(all(), from, to);
    second.call.finish();
    await second.ended();
  });
}, 60_000);

it("a Watch stream is cut off, and resumes from its last cursor without a gap", async () => {
  await whileWatched(async () => {
    const from = await changingVersion();
    const open = (spec: MessageInitShape<typeof WatchSpecSchema>) => {
      const request = toBinary(WatchRequestSchema, create(WatchRequestSchema, { spec }));
      const stream = readLater(watchMethod, request, (bytes) => [fromBinary(WatchResponseSchema, bytes).update]);
      stream.call.finish();
      return stream;
    };
    const first = open(changingSpec);
    for (let index = 1; index < clients; index++) open(changingSpec);
    await untilWatched(clients);
    const to = await change(200);
    await untilWatched(0);
    first.call.read();
    expect(await first.ended()).toMatchObject({ code: 8, reason: "SLOW_CONSUMER" });
    const seen = first.items().flatMap((update) => update?.events ?? []);
    expect(seen.length).toBeLessThan(200);

    // Catching up may overrun a slow reader again; it goes on from where it was cut off.
    let cursor = cursorOf(first.items());
    for (let attempt = 0; seen.length < 200 && attempt < 10; attempt++) {
      const next = open({ ...changingSpec, start: { case: "resumeAfter", value: cursor! } });
      next.call.read();
      const events = () => next.items().flatMap((update) => update?.events ?? []);
      let over = false;
      void next.call.ended.then(() => (over = true));
      await until("the rest comes, or the end", () => over || seen.length + events().length >= 200);
      seen.push(...events());
      cursor = cursorOf(next.items()) ?? cursor;
      next.call.cancel();
    }
    expectNoGap(seen, from, to);
  });
}, 60_000);

it("a walk over the current state waits for its reader", async () => {
  await whileWatched(async () => {
    const spec = { path: "/large", scope: 3, includeData: true, start: { case: "currentState" as const, value: true } };
    const request = toBinary(WatchRequestSchema, create(WatchRequestSchema, { spec }));
    const open = () => {
      const opened = readLater(watchMethod, request, (bytes) => [fromBinary(WatchResponseSchema, bytes).update]);
      opened.call.finish();
      return opened;
    };
    const stream = open();
    const others = Array.from({ length: clients - 1 }, open);
    await untilWatched(clients);
    await untilStill(() => server.residentBytes);
    stream.call.read();
    await until("the state is complete", () => stream.items().some((update) => update?.synced === true), {
      timeoutMs: 30_000,
    });
    const paths = stream
      .items()
      .flatMap((update) => update?.state ?? [])
      .map(({ path }) => path);
    expect(paths.length).toBe(znodes + 1);
    expect(paths).toEqual([...paths].sort());
    for (const { call } of [stream, ...others]) call.cancel();
    await untilWatched(0);
  });
}, 60_000);

it("StreamSubtree waits for its reader, and is complete", async () => {
  await whileWatched(async () => {
    const request = create(StreamSubtreeRequestSchema, { path: "/large", includeData: true });
    const open = () => {
      const opened = readLater(
        streamSubtree,
        toBinary(StreamSubtreeRequestSchema, request),
        (message) => fromBinary(StreamSubtreeResponseSchema, message).znodes,
      );
      opened.call.finish();
      return opened;
    };
    const stream = open();
    for (let index = 1; index < clients; index++) open();
    await untilStill(() => server.residentBytes);
    expect(stream.items().length).toBeLessThan(znodes / 2);
    stream.call.read();
    expect((await stream.ended()).code).toBe(0);
    expect(stream.items().length).toBe(znodes + 1);
    expect(stream.items().every(({ path, data }) => path === "/large" || data?.length === valueBytes)).toBe(true);
  });
}, 60_000);

it.each([
  ["Watch", { spec: { path: "/changing", scope: "WATCH_SCOPE_NODE", includeData: true } }],
  ["Watch", { spec: { path: "/large", scope: "WATCH_SCOPE_SUBTREE", includeData: true, currentState: true } }],
  ["StreamSubtree", { path: "/large", includeData: true }],
])(
  "%s over Connect too: %j",
  async (method, body) => {
    await whileWatched(async () => {
      const [host, port] = server.http.split(":");
      const service = method === "Watch" ? "WatchService" : "TreeService";
      const json = Buffer.from(JSON.stringify(body));
      const length = Buffer.alloc(5);
      length.writeUInt32BE(json.length, 1);
      const head = `POST /zabtree.v1.${service}/${method} HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+json\r\n`;
      const sockets = Array.from({ length: clients }, () => {
        const tcp = connectTcp(Number(port), host);
        tcp.on("error", () => undefined);
        cleanUp(() => {
          tcp.destroy();
        });
        tcp.pause();
        tcp.write(`${head}Content-Length: ${json.length + 5}\r\n\r\n`);
        tcp.write(Buffer.concat([length, json]));
        return tcp;
      });
      if (method === "Watch") await untilWatched(clients);
      if ("spec" in body && body.spec.path === "/changing") {
        await change(200);
        await untilWatched(0);
      } else await untilStill(() => server.residentBytes);
      for (const tcp of sockets) tcp.destroy();
      await untilWatched(0);
    });
  },
  60_000,
);
