/** Watch streams end to end: state first, events in order, and resuming across kill -9 without a gap or a duplicate. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, it } from "vitest";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Cursor, CursorSchema } from "../../gen/ts/zabtree/v1/common_pb.js";
import { WatchService } from "../../gen/ts/zabtree/v1/watch_pb.js";
import {
  CreateMode,
  WatchEventKind,
  WatchScope,
  type Connection,
  type WatchEvent,
  type WatchUpdate,
} from "../../src/client/index.ts";
import { cleanUp, Server, text, until } from "./harness.ts";

/** Collects updates of a stream in the background until it ends or is left. */
function collect(stream: AsyncIterable<{ update?: WatchUpdate | undefined }>) {
  const updates: WatchUpdate[] = [];
  const state = { updates, error: undefined as unknown, over: false };
  void (async () => {
    try {
      for await (const { update } of stream) if (update !== undefined) updates.push(update);
    } catch (error) {
      state.error = error;
    }
    state.over = true;
  })();
  return state;
}

const eventsOf = (updates: readonly WatchUpdate[]): WatchEvent[] => updates.flatMap(({ events }) => events);
const lastCursor = (updates: readonly WatchUpdate[]): Cursor => updates.findLast(({ cursor }) => cursor)!.cursor!;
const places = (events: readonly WatchEvent[]) => events.map(({ zxid, op }) => `${zxid}.${op}`);

async function write(connection: Connection, count: number, prefix: string): Promise<void> {
  const session = await connection.openSession();
  const writes: Promise<unknown>[] = [];
  for (let index = 0; index < count; index++) {
    const path = `/watched/${prefix}${index}`;
    writes.push(session.request("create", { path, data: text(`${index}`) }));
    if (index % 3 === 0) writes.push(session.request("setData", { path, data: text("changed") }));
    if (index % 5 === 0) writes.push(session.request("delete", { path }));
    if (index % 10 === 0) {
      const operations = ["a", "b", "c"].map((name) => ({
        operation: { case: "create" as const, value: { path: `/watched/${prefix}multi${index}${name}` } },
      }));
      writes.push(session.request("multi", { operations }));
    }
    // Not covered.
    writes.push(session.request("create", { path: `/elsewhere`, mode: CreateMode.PERSISTENT_SEQUENTIAL }));
  }
  await Promise.all(writes);
  await session.close();
}

it("starts with the current state, says when it is complete, and goes on with events", async () => {
  const server = await Server.start();
  const connection = await server.connect();
  await connection.tree.create({ path: "/watched" });
  await write(connection, 600, "before");
  const abort = new AbortController();
  const spec = { path: "/watched", scope: WatchScope.SUBTREE, includeData: true };
  const start = { case: "currentState" as const, value: true };
  const watched = collect(connection.watches.watch({ spec: { ...spec, start } }, { signal: abort.signal }));
  await write(connection, 200, "after");
  await connection.tree.create({ path: "/watched/last" });
  await until("the last event comes", () => eventsOf(watched.updates).at(-1)?.path === "/watched/last");
  abort.abort();

  // What was sent as state, changed by the events, is what the tree holds.
  const held = new Map<string, string>();
  let synced = 0;
  for (const { state, events, synced: mark } of watched.updates) {
    for (const { path, data } of state) {
      expect(synced, "state comes before the mark").toBe(0);
      expect(held.has(path), `${path} comes once`).toBe(false);
      held.set(path, new TextDecoder().decode(data));
    }
    for (const { kind, path, data } of events) {
      if (kind === WatchEventKind.DELETED) held.delete(path);
      else held.set(path, new TextDecoder().decode(data));
    }
    if (mark) synced++;
  }
  expect(synced).toBe(1);
  const actual = new Map<string, string>();
  for await (const piece of connection.subtreePieces("/watched", { includeData: true })) {
    for (const { path, data } of piece) actual.set(path, new TextDecoder().decode(data));
  }
  expect(new Map([...held].sort())).toEqual(new Map([...actual].sort()));
});

it("resumes after kill -9 from any cursor, without a gap and without a duplicate", async () => {
  const server = await Server.start();
  let connection = await server.connect();
  await connection.tree.create({ path: "/watched" });
  const spec = { path: "/watched", scope: WatchScope.SUBTREE };
  const whole = collect(connection.watches.watch({ spec }));
  await until("the watch is in force", () => whole.updates.length > 0);
  const begin = lastCursor(whole.updates);
  // More than any ring in memory holds.
  await write(connection, 1500, "first");
  await connection.tree.create({ path: "/watched/marker" });
  await until("the marker comes", () => eventsOf(whole.updates).at(-1)?.path === "/watched/marker");
  const before = eventsOf(whole.updates);
  const middle = before[Math.floor(before.length / 2)]!;
  const inMulti = before.find(({ path }) => path.endsWith("multi500b"))!;
  const clusterId = begin.clusterId;

  await server.kill();
  await until("the stream breaks", () => whole.over);
  await server.start();
  connection = await server.connect();
  const cursors: MessageInitShape<typeof CursorSchema>[] = [
    begin,
    { clusterId, zxid: middle.zxid, op: middle.op },
    { clusterId, zxid: inMulti.zxid, op: inMulti.op },
    lastCursor(whole.updates),
  ];
  const resumed = cursors.map((value) => {
    const abort = new AbortController();
    cleanUp(() => {
      abort.abort();
    });
    const from = { ...spec, start: { case: "resumeAfter" as const, value } };
    return collect(connection.watches.watch({ spec: from }, { signal: abort.signal }));
  });
  // While they read the history, more is written.
  await write(connection, 300, "second");
  await connection.tree.create({ path: "/watched/end" });
  for (const { updates } of resumed) {
    await until("the end comes", () => eventsOf(updates).at(-1)?.path === "/watched/end");
  }
  const [all, ...others] = resumed.map(({ updates }) => places(eventsOf(updates)));
  expect(all!.slice(0, before.length)).toEqual(places(before));
  expect(new Set(all).size).toBe(all!.length);
  const sorted = [...all!].sort((a, b) => {
    const [za, oa] = a.split(".").map(Number);
    const [zb, ob] = b.split(".").map(Number);
    return za! - zb! || oa! - ob!;
  });
  expect(all).toEqual(sorted);
  expect(others[0]).toEqual(all!.slice(all!.indexOf(`${middle.zxid}.${middle.op}`) + 1));
  expect(others[1]).toEqual(all!.slice(all!.indexOf(`${inMulti.zxid}.${inMulti.op}`) + 1));
  expect(others[2]).toEqual(all!.slice(before.length));
}, 60_000);

it("the client's watch does that by itself", async () => {
  const server = await Server.start();
  const connection = await server.connect();
  await connection.tree.create({ path: "/watched" });
  const abort = new AbortController();
  const breaks: string[] = [];
  const stream = connection.watch(
    { path: "/watched", scope: WatchScope.SUBTREE },
    {
      signal: abort.signal,
      onBreak: ({ message }) => breaks.push(message),
    },
  );
  const seen: WatchUpdate[] = [];
  const reading = (async () => {
    for await (const update of stream) seen.push(update);
  })();
  await until("the watch is in force", () => seen.length > 0);
  for (let round = 0; round < 3; round++) {
    await server.connect().then((other) => write(other, 50, `r${round}-`));
    await server.kill();
    await server.start();
  }
  const other = await server.connect();
  await other.tree.create({ path: "/watched/end" });
  await until("the end comes", () => eventsOf(seen).at(-1)?.path === "/watched/end");
  abort.abort();
  await reading;
  expect(breaks.length).toBeGreaterThanOrEqual(3);
  const zxids = places(eventsOf(seen));
  expect(new Set(zxids).size).toBe(zxids.length);
  const created = eventsOf(seen).filter(({ kind, path }) => kind === WatchEventKind.CREATED && /\/r\d-\d+$/.test(path));
  expect(created.length).toBe(150);
}, 60_000);

it("tells of progress when it is quiet, also where nothing is covered", async () => {
  const server = await Server.start();
  const connection = await server.connect();
  const abort = new AbortController();
  const spec = { path: "/nothing/here", scope: WatchScope.NODE };
  const watched = collect(connection.watches.watch({ spec }, { signal: abort.signal }));
  await until("the watch is in force", () => watched.updates.length === 1);
  const begin = lastCursor(watched.updates).zxid;
  for (let index = 0; index < 5; index++) await connection.tree.create({ path: `/other${index}` });
  const mark = await until("a progress mark comes", () => watched.updates[1], { timeoutMs: 15_000 });
  expect(mark.events).toEqual([]);
  expect(mark.cursor!.zxid).toBe(begin + 5n);
  abort.abort();
}, 30_000);

it("speaks Connect as well, binary and JSON, with the same events", async () => {
  const server = await Server.start({ http: true });
  const connection = await server.connect();
  await connection.tree.create({ path: "/watched" });
  const abort = new AbortController();
  const spec = { path: "/watched", scope: WatchScope.SUBTREE, includeData: true };
  const streams = [true, false].map((useBinaryFormat) => {
    const transport = createConnectTransport({ baseUrl: `http://${server.http}`, httpVersion: "1.1", useBinaryFormat });
    return collect(createClient(WatchService, transport).watch({ spec }, { signal: abort.signal }));
  });
  streams.push(collect(connection.watches.watch({ spec }, { signal: abort.signal })));
  for (const { updates } of streams) await until("the watch is in force", () => updates.length > 0);
  await write(connection, 30, "x");
  await connection.tree.create({ path: "/watched/end", data: text("fin") });
  for (const { updates } of streams) {
    await until("the end comes", () => eventsOf(updates).at(-1)?.path === "/watched/end");
  }
  const [binary, json, grpc] = streams.map(({ updates }) =>
    eventsOf(updates).map(({ zxid, op, path, kind, data }) => [zxid, op, path, kind, new TextDecoder().decode(data)]),
  );
  expect(binary).toEqual(grpc);
  expect(json).toEqual(grpc);
  abort.abort();
  await until("the server forgets them", async () => (await connection.cluster.getStatus({})).watches === 0n);
  expect(server.errors).toBe("");
}, 30_000);
