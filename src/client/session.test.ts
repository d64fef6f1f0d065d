/**
 * Sessions against a server that misbehaves on command: it executes writes exactly as the contract says, and breaks
 * the stream before it answers, falls silent, or ends the session.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  AttachSessionResponseSchema,
  OpenSessionResponseSchema,
  SessionService,
  type SessionResponseSchema,
  type AttachSessionRequest,
  type AttachSessionResponse,
  type OpenSessionResponse,
  type SessionFrameSchema,
  type SessionRequest,
} from "../../gen/ts/zabtree/v1/session_pb.js";
import { refusal } from "../base/reasons.ts";
import { serviceDefinition } from "../rpc/service-definition.ts";
import { statusOf } from "../rpc/status.ts";
import { connect, WatchScope, type Connection, type Session } from "./index.ts";
import { keepAttached } from "./keep-attached.ts";

type Stream = ServerDuplexStream<AttachSessionRequest, AttachSessionResponse>;
type Frame = NonNullable<MessageInitShape<typeof SessionFrameSchema>["frame"]>;

type Result = NonNullable<MessageInitShape<typeof SessionResponseSchema>["result"]>;

const sessionId = 7n;

/** One session, whose writes are counted. */
class FakeServer {
  readonly grpc = new Server();
  /** Paths of the writes executed, in order. */
  readonly executed: string[] = [];
  /** Requests of each message received. */
  readonly batchSizes: number[] = [];
  timeoutMs = 1000;
  attaches = 0;
  ackedSeq = 0n;
  expired = false;
  silent = false;
  /** Breaks the stream after executing so many more writes, before they are answered. */
  breakAfter = Infinity;
  /** Refuses the next write with this reason. */
  refuseNext: string | undefined;
  stream: Stream | undefined;
  private refusing = false;

  constructor() {
    this.grpc.addService(serviceDefinition(SessionService), {
      openSession: (_call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<OpenSessionResponse>) => {
        callback(null, create(OpenSessionResponseSchema, { sessionId, timeoutMs: this.timeoutMs }));
      },
      attachSession: (stream: Stream) => {
        this.attaches++;
        this.stream = stream;
        stream.on("data", (message: AttachSessionRequest) => {
          this.receive(stream, message);
        });
        stream.on("error", () => undefined);
      },
    });
  }

  private send(stream: Stream, frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    stream.write(create(AttachSessionResponseSchema, { frames: frames.map((frame) => ({ frame })) }));
  }

  private receive(stream: Stream, message: AttachSessionRequest): void {
    const frames: Frame[] = [];
    if (message.attach !== undefined) {
      if (this.expired) {
        stream.emit("error", statusOf(refusal("SESSION_EXPIRED", "the session has expired")));
        return;
      }
      frames.push({ case: "attached", value: { timeoutMs: this.timeoutMs, remainingMs: this.timeoutMs } });
    }
    this.ackedSeq = message.ackedSeq;
    if (message.requests.length > 0) this.batchSizes.push(message.requests.length);
    for (const request of message.requests) {
      const answer = this.answer(request);
      if (this.breakAfter <= 0) {
        this.breakAfter = Infinity;
        stream.emit("error", { code: 14, details: "broken by the test" });
        return;
      }
      frames.push({ case: "response", value: { callId: request.callId, result: answer } });
    }
    const { heartbeat } = message;
    if (heartbeat !== undefined && !this.silent) {
      frames.push({ case: "heartbeat", value: { id: heartbeat.id, remainingMs: this.timeoutMs } });
    }
    this.send(stream, frames);
  }

  private answer({ operation }: SessionRequest): Result {
    switch (operation.case) {
      case "setData":
        return this.write(operation.value.path, Number(operation.value.seq));
      case "exists":
        return { case: "exists", value: {} };
      case "addWatch":
        return { case: "addWatch", value: {} };
      case "closeSession":
        return { case: "closeSession", value: {} };
      default:
        return { case: "error", value: { reason: "BAD_ARGUMENTS" } };
    }
  }

  /** A seq that was executed is answered again and not executed again. */
  private write(path: string, seq: number): Result {
    const expected = this.executed.length + 1;
    if (seq < expected) return { case: "setData", value: {} };
    if (this.refuseNext !== undefined && seq === expected) {
      const reason = this.refuseNext;
      this.refuseNext = undefined;
      this.refusing = true;
      return { case: "error", value: { reason } };
    }
    if (seq > expected) return { case: "error", value: { reason: this.refusing ? "NO_LEADER" : "SEQUENCE_GAP" } };
    this.refusing = false;
    this.executed.push(path);
    this.breakAfter--;
    return { case: "setData", value: {} };
  }

  notify(watchId: bigint, zxid: bigint): void {
    this.send(this.stream!, [
      { case: "watch", value: { watchIds: [watchId], update: { events: [{ path: "/w", zxid }] } } },
    ]);
  }
}

let server: FakeServer;
let connection: Connection;
let session: Session;

beforeEach(async () => {
  server = new FakeServer();
  const port = await new Promise<number>((resolve, reject) => {
    server.grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  connection = await connect({ server: `127.0.0.1:${port}` });
  session = await connection.openSession();
});

afterEach(() => {
  session.abandon();
  connection.close();
  server.grpc.forceShutdown();
});

function set(path: string): Promise<unknown> {
  return session.request("setData", { path });
}

const paths = (count: number) => Array.from({ length: count }, (_, index) => `/${index}`);

describe("requests", () => {
  it("of one turn travel in one message and are answered in order", async () => {
    const answered: string[] = [];
    await Promise.all(paths(10).map((path) => set(path).then(() => answered.push(path))));
    expect(server.executed).toEqual(paths(10));
    expect(answered).toEqual(paths(10));
    expect(server.batchSizes).toEqual([10]);
  });

  it("tell the server what was received, so that it may forget", async () => {
    await set("/a");
    await set("/b");
    await session.request("exists", { path: "/a" });
    expect(server.ackedSeq).toBe(2n);
  });

  it("fail with the reason the server gives", async () => {
    await expect(session.request("sync", {})).rejects.toMatchObject({ reason: "BAD_ARGUMENTS" });
  });

  it("refused for the moment are made again, in order", async () => {
    server.refuseNext = "NO_LEADER";
    await Promise.all(paths(5).map(set));
    expect(server.executed).toEqual(paths(5));
  });
});

describe("a stream that breaks", () => {
  it("suspends the session; reattaching completes every write exactly once", async () => {
    server.breakAfter = 3;
    const writes = Promise.all(paths(8).map(set));
    await vi.waitFor(() => expect(session.state).toBe("SUSPENDED"));
    expect(session.error?.unavailable).toBe(true);
    await session.reattach();
    await writes;
    expect(session.state).toBe("CONNECTED");
    expect(server.executed).toEqual(paths(8));
  });

  it("ends its watches, and says why", async () => {
    const watch = await session.watch({ path: "/w", scope: WatchScope.NODE });
    const oneShot = session.oneShotWatch();
    server.notify(1n, 5n);
    expect((await watch.next()).value?.events[0]?.zxid).toBe(5n);
    server.breakAfter = 0;
    const write = set("/a");
    await expect(watch.next()).rejects.toMatchObject({ unavailable: true });
    await expect(oneShot.fired).rejects.toMatchObject({ unavailable: true });
    await session.reattach();
    await write;
  });

  it("is opened again by keepAttached, as often as it breaks", async () => {
    keepAttached(session);
    for (const round of [1, 2, 3]) {
      server.breakAfter = 1;
      await set(`/${round}`);
    }
    expect(server.executed).toEqual(["/1", "/2", "/3"]);
    expect(server.attaches).toBe(4);
  });

  it("leaves the outcome of writes open when the session has expired meanwhile", async () => {
    const ended = vi.fn();
    session.onEnded(ended);
    server.breakAfter = 1;
    const write = set("/a");
    write.catch(() => undefined);
    await vi.waitFor(() => expect(session.state).toBe("SUSPENDED"));
    const later = set("/b");
    later.catch(() => undefined);
    server.expired = true;
    await expect(session.reattach()).rejects.toMatchObject({ reason: "SESSION_EXPIRED" });
    await expect(write).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN", metadata: { seq: "1", session_id: "7" } });
    await expect(later).rejects.toMatchObject({ reason: "SESSION_EXPIRED" });
    expect(ended).toHaveBeenCalledExactlyOnceWith("LOST", expect.objectContaining({ reason: "SESSION_EXPIRED" }));
    await expect(set("/c")).rejects.toMatchObject({ reason: "SESSION_EXPIRED" });
  });
});

describe("heartbeats", () => {
  it("keep the session connected beyond its timeout", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(session.state).toBe("CONNECTED");
  });

  it("that are not answered suspend it when its time has run out", async () => {
    server.silent = true;
    const started = performance.now();
    await vi.waitFor(() => expect(session.state).toBe("SUSPENDED"), { timeout: 3000 });
    expect(performance.now() - started).toBeLessThan(1500);
  });
});

it("closes after the requests made before, and takes none after", async () => {
  const write = set("/a");
  await session.close();
  await write;
  expect(session.state).toBe("CLOSED");
  await expect(set("/b")).rejects.toMatchObject({ reason: "SESSION_EXPIRED" });
});

it("says in one sentence that nothing listens", async () => {
  await expect(connect({ server: "127.0.0.1:1" })).rejects.toThrow(
    "no zabtree server at 127.0.0.1:1 (connection refused)",
  );
});

it("goes to the next server of a list", async () => {
  const other = await connect({ server: `127.0.0.1:1,${connection.server}` });
  expect(other.server).toBe(connection.server);
  other.close();
});
