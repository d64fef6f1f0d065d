/** What a session stream writes, read back by the generated code. */
import { create, equals, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZnodeSchema } from "../../gen/ts/zabtree/v1/common_pb.js";
import {
  AttachSessionResponseSchema,
  SessionFrameSchema,
  type AttachSessionResponse,
  type SessionFrame,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { WatchEventSchema } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { limits } from "../base/limits.ts";
import { reasons, refusal, type Reason } from "../base/reasons.ts";
import type { ChildrenPage, DoneKind, ReadResult, ReplySink } from "../replica/ports.ts";
import { openingDetail } from "../tree/detail.ts";
import { blankOp } from "../tree/prepare.ts";
import { emptyStat, type Stat } from "../tree/stat.ts";
import { OpKind, RequestKind, type Txn, type TxnOp } from "../tree/txn.ts";
import type { WatchEvent } from "../watches/watch-event.ts";
import { errorMessage, statMessage } from "./convert.ts";
import { committedResult, MessageSink } from "./responses.ts";
import { HeaderEncoder, SessionWriter } from "./session-writer.ts";
import { encodeZnode } from "./watch-encoder.ts";

const position = { clusterId: "0123456789abcdef0123456789abcdef", memberId: 3, epoch: 7, appliedZxid: 1234 };

function writerAt(at = position): { writer: SessionWriter; dirty: () => number } {
  let count = 0;
  const writer = new SessionWriter(at, new HeaderEncoder(at), () => count++);
  return { writer, dirty: () => count };
}

function decode(messages: readonly Buffer[]): AttachSessionResponse[] {
  return messages.map((bytes) => fromBinary(AttachSessionResponseSchema, bytes));
}

function framesOf(run: (writer: SessionWriter) => void): SessionFrame[] {
  const { writer } = writerAt();
  run(writer);
  return decode(writer.take()).flatMap((message) => message.frames);
}

/** The frames that the plain sink would have produced. */
function plainFrames(run: (sink: ReplySink) => void): SessionFrame[] {
  const frames: SessionFrame[] = [];
  const push = (call: number, zxid: number, result: unknown) => {
    const value = { callId: BigInt(call), zxid: BigInt(zxid), result };
    frames.push(create(SessionFrameSchema, { frame: { case: "response", value: value as never } }));
  };
  const sink = new MessageSink(push, (call, zxid, problem) => {
    push(call, zxid, { case: "error", value: errorMessage(problem) });
  });
  run(sink);
  return frames;
}

function expectSame(actual: readonly SessionFrame[], expected: readonly SessionFrame[]): void {
  expect(actual.map((frame) => toJson(SessionFrameSchema, frame))).toEqual(
    expected.map((frame) => toJson(SessionFrameSchema, frame)),
  );
  for (const [index, frame] of actual.entries()) {
    // As bytes too: what is unset and what is empty are different.
    expect(equals(SessionFrameSchema, frame, expected[index]!)).toBe(true);
    expect(frame.$unknown).toBeUndefined();
  }
}

// ---- random results

const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const int32 = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer());
const text = fc.string({ unit: "grapheme", maxLength: 30 });
const data = fc.option(fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 100, maxLength: 300 })));
const stat: fc.Arbitrary<Stat> = fc.record({
  czxid: number,
  mzxid: number,
  pzxid: number,
  ctime: number,
  mtime: number,
  version: int32,
  aversion: int32,
  owner: number,
  sequence: number,
  children: fc.nat(),
  kind: fc.nat(2),
  dataLength: fc.nat(),
});
const acl = fc.array(fc.record({ permissions: fc.nat(31), scheme: text, id: text }), { maxLength: 4 });
const problem = fc
  .tuple(fc.constantFrom<Reason>(...reasons), text, fc.dictionary(text, text, { maxKeys: 3 }))
  .map(([reason, message, metadata]) => refusal(reason, message, metadata));
const page: fc.Arbitrary<ChildrenPage> = fc.record({
  children: fc.array(fc.record({ name: text, stat: fc.option(stat), data }), { maxLength: 4 }),
  nextAfter: text,
  stat,
});
const readResult: fc.Arbitrary<ReadResult> = fc.oneof(
  fc.record({ kind: fc.constant("data" as const), data, stat }),
  fc.record({ kind: fc.constant("children" as const), page }),
  fc.record({ kind: fc.constant("exists" as const), stat: fc.option(stat) }),
  fc.record({ kind: fc.constant("acl" as const), acl, stat }),
  fc.record({ kind: fc.constant("refused" as const), refusal: problem }),
);

function opOf(kind: fc.Arbitrary<number>): fc.Arbitrary<TxnOp> {
  return fc
    .tuple(kind, text, stat, data)
    .map(([each, path, after, value]) => ({ ...blankOp(each, `/${path}`, after), data: value }));
}

const written = [OpKind.create, OpKind.delete, OpKind.setData, OpKind.setAcl, OpKind.check];
const txn: fc.Arbitrary<Txn> = fc
  .constantFrom("create", "delete", "deleteSubtree", "setData", "setAcl", "multi", "closeSession" as const)
  .chain((request) =>
    fc.record({
      zxid: number,
      epoch: number,
      time: number,
      session: number,
      seq: number,
      acked: number,
      fingerprint: number,
      who: text,
      request: fc.constant(RequestKind[request as keyof typeof RequestKind]),
      ops: fc.array(opOf(request === "multi" ? fc.constantFrom(...written) : fc.constant(OpKind.create)), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
  );

const answer: fc.Arbitrary<(sink: ReplySink) => void> = fc.tuple(number, number).chain(([call, zxid]) =>
  fc.oneof(
    txn.map((made) => (sink: ReplySink) => sink.committed(call, made)),
    fc
      .integer({ min: RequestKind.create, max: RequestKind.multi })
      .map((kind) => (sink: ReplySink) => sink.committedBefore(call, zxid, kind)),
    problem.map((made) => (sink: ReplySink) => sink.refused(call, zxid, made)),
    fc.option(stat).map((made) => (sink: ReplySink) => sink.exists(call, zxid, made)),
    fc.tuple(data, stat).map(
      ([value, made]) =>
        (sink: ReplySink) =>
          sink.data(call, zxid, value, made),
    ),
    page.map((made) => (sink: ReplySink) => sink.children(call, zxid, made)),
    number.map((count) => (sink: ReplySink) => sink.count(call, zxid, count)),
    fc.tuple(fc.array(text, { maxLength: 3 }), text).map(
      ([paths, nextAfter]) =>
        (sink: ReplySink) =>
          sink.ephemerals(call, zxid, { paths, nextAfter }),
    ),
    fc.tuple(acl, stat).map(
      ([made, after]) =>
        (sink: ReplySink) =>
          sink.acl(call, zxid, made, after),
    ),
    fc.array(readResult, { maxLength: 3 }).map((made) => (sink: ReplySink) => sink.multiRead(call, zxid, made)),
    fc
      .constantFrom<DoneKind>("sync", "addWatch", "cancelWatch")
      .map((what) => (sink: ReplySink) => sink.done(call, zxid, what)),
    fc
      .array(fc.record({ scheme: text, id: text }), { maxLength: 3 })
      .map((made) => (sink: ReplySink) => sink.identities(call, zxid, made, zxid)),
  ),
);

describe("answers", () => {
  it("are what the plain sink would have produced", () => {
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 6 }), (answers) => {
        const run = (sink: ReplySink) => {
          for (const each of answers) each(sink);
        };
        expectSame(framesOf(run), plainFrames(run));
      }),
      { numRuns: 600 },
    );
  });

  it("of every kind are among those", () => {
    const kinds = new Set<string>();
    for (const each of fc.sample(answer, { numRuns: 2000, seed: 1 })) {
      const { frame } = plainFrames(each)[0]!;
      if (frame.case === "response") kinds.add(String(frame.value.result.case));
    }
    expect(kinds.size).toBe(19);
  });

  it("have no header of their own; the opening of a session never is one", () => {
    const opening = { timeoutMs: 1000, clientKey: "", secretHash: "", identities: [] };
    const op = { ...blankOp(OpKind.openSession, "", emptyStat()), detail: openingDetail(opening) };
    const made: Txn = {
      zxid: 5,
      epoch: 1,
      time: 1,
      session: 5,
      seq: 0,
      acked: 0,
      fingerprint: 0,
      who: "",
      request: RequestKind.openSession,
      ops: [op],
    };
    expect(committedResult(made)).toMatchObject({ case: "openSession", value: { sessionId: 5n, timeoutMs: 1000 } });
    expect(() => framesOf((writer) => writer.committed(1, made))).toThrow("not opened on a stream");
  });
});

describe("watches", () => {
  const event = fc.record({
    kind: fc.integer({ min: 1, max: 4 }),
    path: text.map((path) => `/${path}`),
    zxid: number,
    opIndex: fc.nat(1000),
    session: number,
    op: fc
      .tuple(opOf(fc.constant(OpKind.setData)), fc.integer({ min: 1, max: 3 }))
      .map(([op, cause]) => ({ ...op, cause })),
    includeData: fc.boolean(),
  });

  function eventMessage(made: WatchEvent) {
    const { op } = made;
    return create(WatchEventSchema, {
      kind: made.kind,
      path: made.path,
      zxid: BigInt(made.zxid),
      op: made.opIndex,
      cause: op.cause,
      sessionId: BigInt(made.session),
      ...(made.kind === 4 ? {} : { stat: statMessage(op.stat) }),
      ...(made.includeData && op.data !== null ? { data: op.data } : {}),
    });
  }

  const cursorOf = (zxid: number, op: number) => ({ clusterId: position.clusterId, zxid: BigInt(zxid), op });

  it("tell events, each with its cursor", () => {
    const ids = fc.array(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(fc.tuple(ids, event), { minLength: 1, maxLength: 4 }), (events) => {
        const actual = framesOf((writer) => {
          for (const [watchIds, made] of events) writer.watchEvent(watchIds, made);
        });
        const expected = events.map(([watchIds, made]) => {
          const update = { events: [eventMessage(made)], cursor: cursorOf(made.zxid, made.opIndex) };
          return create(SessionFrameSchema, {
            frame: { case: "watch", value: { watchIds: watchIds.map(BigInt), update } },
          });
        });
        expectSame(actual, expected);
      }),
      { numRuns: 500 },
    );
  });

  it("tell several watches of one event with the same bytes, and the next event with others", () => {
    const one = {
      kind: 1,
      path: "/a",
      zxid: 5,
      opIndex: 0,
      session: 0,
      op: blankOp(OpKind.create, "/a", emptyStat()),
      includeData: false,
    };
    const frames = framesOf((writer) => {
      writer.watchEvent([1], one);
      writer.watchEvent([2], one);
      writer.watchEvent([3], { ...one, path: "/b" });
    });
    const paths = frames.map(({ frame }) => (frame.case === "watch" ? frame.value.update!.events[0]!.path : ""));
    expect(paths).toEqual(["/a", "/a", "/b"]);
  });

  it("do not tell the Stat of a child to whoever watches its parent", () => {
    const op = blankOp(OpKind.create, "/a/secret", { ...emptyStat(), dataLength: 77, owner: 5 });
    const made = { kind: 4, path: "/a", zxid: 5, opIndex: 0, session: 1, op, includeData: false };
    const [{ frame }] = framesOf((writer) => writer.watchEvent([1], made)) as [SessionFrame];
    if (frame.case !== "watch") throw new Error("not a watch");
    expect(frame.value.update!.events[0]).toMatchObject({ path: "/a", zxid: 5n });
    expect(frame.value.update!.events[0]!.stat).toBeUndefined();
  });

  it("tell state, cursors and ends", () => {
    const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(
        id,
        text,
        stat,
        data,
        number,
        fc.nat(1000),
        fc.boolean(),
        problem,
        (watch, path, after, value, zxid, op, synced, why) => {
          const actual = framesOf((writer) => {
            writer.watchState(watch, path, after, value);
            writer.watchCursor(watch, zxid, op, synced);
            writer.watchEnded(watch, why);
          });
          const znode = fromBinary(ZnodeSchema, encodeZnode(path, after, value));
          expect(znode).toMatchObject({ path, stat: statMessage(after) });
          const watchIds = [BigInt(watch)];
          const expected = [
            { watchIds, update: { state: [znode] } },
            { watchIds, update: { synced, cursor: cursorOf(zxid, op) } },
            { watchIds, error: errorMessage(why) },
          ];
          expectSame(
            actual,
            expected.map((made) => create(SessionFrameSchema, { frame: { case: "watch", value: made } })),
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("the rest of a stream", () => {
  it("tells that it is attached, heartbeats and its end", () => {
    const why = refusal("SESSION_MOVED", "moved", { session_id: "5" });
    const { writer } = writerAt();
    writer.attached({ timeoutMs: 10_000, lastSeq: 2 ** 40, remainingMs: 9000 });
    writer.heartbeat(2 ** 50, 8000);
    writer.ended(why);
    expect(writer.endReason).toBe(why);
    const [message] = decode(writer.take());
    expect(message!.frames.map(({ frame }) => frame)).toMatchObject([
      { case: "attached", value: { timeoutMs: 10_000, lastSeq: 2n ** 40n, remainingMs: 9000 } },
      { case: "heartbeat", value: { id: 2n ** 50n, remainingMs: 8000 } },
      { case: "ended", value: { reason: "SESSION_MOVED", code: 10, metadata: { session_id: "5" } } },
    ]);
  });

  it("says in each message where the server stands when it is closed", () => {
    const at = { ...position };
    const { writer } = writerAt(at);
    const headers = [];
    for (const [epoch, appliedZxid] of [
      [7, 0],
      [7, 2 ** 52],
      [8, 3],
    ] as const) {
      Object.assign(at, { epoch, appliedZxid });
      writer.heartbeat(1, 1);
      headers.push(...decode(writer.take()).map((message) => message.header));
    }
    const { clusterId } = position;
    expect(headers).toMatchObject([
      { clusterId, memberId: 3n, epoch: 7n, zxid: 0n },
      { clusterId, memberId: 3n, epoch: 7n, zxid: 2n ** 52n },
      { clusterId, memberId: 3n, epoch: 8n, zxid: 3n },
    ]);
  });
});

describe("messages", () => {
  const kilobyte = new Uint8Array(1024).fill(1);

  it("are closed near 512 KiB, and lose nothing", () => {
    const { writer } = writerAt();
    for (let call = 1; call <= 2000; call++) writer.data(call, 5, kilobyte, emptyStat());
    const messages = writer.take();
    expect(messages.length).toBeGreaterThanOrEqual(4);
    for (const message of messages.slice(0, -1)) {
      expect(message.length).toBeGreaterThan(512 * 1024);
      expect(message.length).toBeLessThan(516 * 1024);
    }
    const calls = decode(messages).flatMap(({ frames }) =>
      frames.map(({ frame }) => (frame.case === "response" ? Number(frame.value.callId) : 0)),
    );
    expect(calls).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1));
  });

  it("never exceed 3 MiB, whatever is waiting when the largest answer comes", () => {
    const { writer } = writerAt();
    for (let call = 1; call <= 500; call++) writer.data(call, 5, kilobyte, emptyStat());
    const child = { name: "c", stat: null, data: new Uint8Array(1024 * 1023) };
    const children = Array.from({ length: 3 }, () => child);
    writer.children(501, 5, { children, nextAfter: "", stat: emptyStat() });
    writer.heartbeat(1, 1);
    const messages = writer.take();
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(limits.responseMessage);
    expect(decode(messages).flatMap((message) => message.frames)).toHaveLength(502);
  });

  it("are announced once until they are taken", () => {
    const { writer, dirty } = writerAt();
    writer.heartbeat(1, 1);
    writer.data(1, 1, kilobyte, emptyStat());
    expect(dirty()).toBe(1);
    writer.take();
    expect(writer.take()).toEqual([]);
    expect(dirty()).toBe(1);
    writer.heartbeat(2, 1);
    expect(dirty()).toBe(2);
  });

  it("count as backlog from the first frame until the connection took them", () => {
    const { writer } = writerAt();
    expect([writer.backlog, writer.backlogged()]).toEqual([0, false]);
    for (let call = 1; call <= 1000; call++) writer.data(call, 5, kilobyte, emptyStat());
    const waiting = writer.backlog;
    expect(waiting).toBeGreaterThan(1000 * 1024);
    expect(writer.backlogged()).toBe(waiting > limits.streamBacklog / 4);
    for (let call = 1; call <= 100; call++) writer.data(call, 5, kilobyte, emptyStat());
    expect(writer.backlogged()).toBe(true);
    const messages = writer.take();
    const total = messages.reduce((sum, message) => sum + message.length, 0);
    expect(writer.backlog).toBe(total);
    for (const message of messages) writer.sent(message.length);
    expect([writer.backlog, writer.backlogged()]).toEqual([0, false]);
    expect(() => writer.sent(1)).toThrow("more bytes were sent than taken");
  });

  it("taken stay as they are when more is written", () => {
    const { writer } = writerAt();
    writer.data(1, 5, kilobyte, emptyStat());
    const [first] = writer.take();
    const before = Buffer.from(first!);
    for (let call = 1; call <= 600; call++) writer.data(call, 5, new Uint8Array(1024).fill(2), emptyStat());
    writer.take();
    expect(first!.equals(before)).toBe(true);
    expect(toBinary(AttachSessionResponseSchema, decode([first!])[0]!).length).toBe(first!.length);
  });
});
