/**
 * A session stream that keeps a fixed number of requests in flight. It encodes and scans messages by hand, so that it
 * costs as little as h2load does for unary calls, but it looks at every response: order, count and errors.
 */
import { randomBytes } from "node:crypto";
import { credentials, makeClientConstructor, type ClientDuplexStream } from "@grpc/grpc-js";
import { ByteWriter } from "../src/base/bytes.ts";
import type { Connection } from "../src/client/index.ts";
import { asBuffer, serviceDefinition } from "../src/rpc/service-definition.ts";
import { WireReader, writeLength, writeNumber } from "../src/rpc/wire.ts";
import { SessionService } from "../gen/ts/zabtree/v1/session_pb.js";

type Stream = ClientDuplexStream<Buffer, Buffer>;

/** Fields of SessionRequest. */
export const Operation = { create: 2, get: 6, set: 7, multi: 13 } as const;

/** What a session asks for. */
export interface Requests {
  /** Appends SessionRequest `call` to the message. A write carries `seq`. "none": there is nothing more to ask. */
  next(message: ByteWriter, call: number, seq: number): "read" | "write" | "none";
  answered(latencyMs: number): void;
}

/** Calls that may be in flight on one session, a power of two. */
const slots = 4096;

export class RawSession {
  private readonly stream: Stream;
  private readonly requests: Requests;
  private readonly message = new ByteWriter(16 * 1024);
  private readonly sentAt = new Float64Array(slots);
  private readonly isWrite = new Uint8Array(slots);
  private calls = 0;
  private answered = 0;
  private seq = 0;
  private ackedSeq = 0;
  private draining = false;
  private idle: (() => void) | undefined;

  constructor(stream: Stream, session: { id: number; secret: Uint8Array }, requests: Requests) {
    this.stream = stream;
    this.requests = requests;
    const attach = new ByteWriter();
    writeNumber(attach, 1, session.id);
    writeLength(attach, 2, session.secret.length);
    attach.raw(session.secret);
    writeLength(this.message, 1, attach.length);
    this.message.raw(attach.view());
    this.write();
    stream.on("data", (bytes: Buffer) => {
      this.received(bytes);
    });
    stream.on("error", (error: Error) => {
      console.error(`session ${session.id}: ${error.message}`);
      process.exit(1);
    });
  }

  start(inFlight: number): void {
    this.send(inFlight);
  }

  /** Sends no more; resolves when everything is answered. */
  drain(): Promise<void> {
    this.draining = true;
    return this.finished();
  }

  /** Resolves when there is nothing more to ask and everything is answered. */
  finished(): Promise<void> {
    return new Promise((resolve) => {
      this.idle = resolve;
      this.checkIdle();
    });
  }

  private checkIdle(): void {
    if (this.draining && this.answered === this.calls) this.idle?.();
  }

  private received(bytes: Buffer): void {
    const now = performance.now();
    const reader = new WireReader(bytes);
    let responses = 0;
    while (reader.next()) {
      if (reader.field !== 2) {
        reader.skip();
        continue;
      }
      const frame = reader.message();
      frame.next();
      if (frame.field !== 2) continue;
      this.response(frame.message(), now);
      responses++;
    }
    if (responses === 0) return;
    if (!this.draining) this.send(responses);
    this.checkIdle();
  }

  private response(reader: WireReader, now: number): void {
    reader.next();
    const call = reader.varint();
    this.answered++;
    if (call !== this.answered) throw new Error(`response ${call} came where ${this.answered} was due`);
    while (reader.next()) {
      if (reader.field === 3) throw new Error(`refused: ${reader.bytes().toString("latin1")}`);
      reader.skip();
    }
    const slot = call & (slots - 1);
    if (this.isWrite[slot] === 1) this.ackedSeq++;
    this.requests.answered(now - this.sentAt[slot]!);
  }

  private send(count: number): void {
    const { message } = this;
    if (this.ackedSeq > 0) writeNumber(message, 2, this.ackedSeq);
    const now = performance.now();
    let sent = 0;
    while (sent < count) {
      const call = this.calls + 1;
      const kind = this.requests.next(message, call, this.seq + 1);
      if (kind === "none") {
        this.draining = true;
        break;
      }
      if (kind === "write") this.seq++;
      this.calls = call;
      const slot = call & (slots - 1);
      this.sentAt[slot] = now;
      this.isWrite[slot] = kind === "write" ? 1 : 0;
      sent++;
    }
    if (sent > 0) this.write();
    else message.reset();
  }

  private write(): void {
    this.stream.write(asBuffer(this.message.copy()));
    this.message.reset();
  }
}

const Client = makeClientConstructor(serviceDefinition(SessionService, { raw: new Set(["AttachSession"]) }), "session");

/** Opens sessions, spread over some TCP connections. `requestsOf` is given the index and the id of each. */
export async function openRawSessions(
  connection: Connection,
  sessions: number,
  connections: number,
  requestsOf: (index: number, id: number) => Requests,
): Promise<RawSession[]> {
  const clients = Array.from(
    { length: Math.min(sessions, connections) },
    () => new Client(connection.server, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
  );
  const opened: RawSession[] = [];
  for (let index = 0; index < sessions; index++) {
    const secret = randomBytes(16);
    const { sessionId } = await connection.sessions.openSession({
      clientKey: randomBytes(16),
      secret,
      timeoutMs: 30_000,
    });
    const client = clients[index % clients.length] as unknown as { attachSession(): Stream };
    const id = Number(sessionId);
    opened.push(new RawSession(client.attachSession(), { id, secret }, requestsOf(index, id)));
  }
  return opened;
}
