/**
 * A load generator for session streams: one process, many sessions, a fixed number of requests in flight on each. It
 * encodes and scans messages by hand, so that it costs as little as h2load does for unary calls, but every response is
 * looked at: order, count and errors.
 *
 * Prints one line of JSON: what was asked, operations per second, latency percentiles in milliseconds.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { credentials, makeClientConstructor, type ClientDuplexStream } from "@grpc/grpc-js";
import { ByteWriter, utf8Length } from "../src/base/bytes.ts";
import { connect } from "../src/client/index.ts";
import { serviceDefinition } from "../src/rpc/service-definition.ts";
import { lengthSize, numberSize, WireReader, writeLength, writeNumber } from "../src/rpc/wire.ts";
import { SessionService } from "../gen/ts/zabtree/v1/session_pb.js";
import { LatencyHistogram } from "./latency.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "127.0.0.1:4281" },
    /** set, get, create or mixed (half sets, half gets). */
    op: { type: "string", default: "set" },
    sessions: { type: "string", default: "32" },
    inflight: { type: "string", default: "32" },
    bytes: { type: "string", default: "100" },
    keys: { type: "string", default: "1000" },
    /** Parent of the znodes; created when missing. */
    root: { type: "string", default: "/bench" },
    warmup: { type: "string", default: "2" },
    seconds: { type: "string", default: "5" },
    /** TCP connections the sessions are spread over. */
    connections: { type: "string", default: "8" },
  },
});

const sessionCount = Number(values.sessions);
const inFlight = Number(values.inflight);
const keyCount = Number(values.keys);
const { op, root } = values;
const data = randomBytes(Number(values.bytes));

type Stream = ClientDuplexStream<Buffer, Buffer>;

const Client = makeClientConstructor(serviceDefinition(SessionService, { raw: new Set(["AttachSession"]) }), "session");

/** Fields of SessionRequest and of the requests inside. */
const Operation = { create: 2, get: 6, set: 7 } as const;

class LoadSession {
  readonly latency = new LatencyHistogram();
  completed = 0;
  private readonly stream: Stream;
  private readonly sentAt = new Float64Array(4096);
  private readonly writer = new ByteWriter(16 * 1024);
  private readonly index: number;
  private calls = 0;
  private answered = 0;
  private seq = 0;
  private ackedSeq = 0;
  private readonly isWrite = new Uint8Array(4096);
  stopping = false;
  onIdle: () => void = () => undefined;

  constructor(stream: Stream, index: number, sessionId: number, secret: Uint8Array) {
    this.stream = stream;
    this.index = index;
    const attach = new ByteWriter();
    writeNumber(attach, 1, sessionId);
    writeLength(attach, 2, secret.length);
    attach.raw(secret);
    const message = new ByteWriter();
    writeLength(message, 1, attach.length);
    message.raw(attach.view());
    this.write(message);
    stream.on("data", (bytes: Buffer) => {
      this.received(bytes);
    });
    stream.on("error", (error: Error) => {
      if (this.stopping) return;
      console.error(`session ${sessionId}: ${error.message}`);
      process.exit(1);
    });
  }

  private write(message: ByteWriter): void {
    this.stream.write(Buffer.from(message.copy()));
  }

  start(): void {
    this.send(inFlight);
  }

  reset(): void {
    this.completed = 0;
    this.latency.reset();
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
    if (!this.stopping) this.send(responses);
    else if (this.answered === this.calls) this.onIdle();
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
    const slot = call & 4095;
    if (this.isWrite[slot] === 1) this.ackedSeq++;
    this.completed++;
    this.latency.record(now - this.sentAt[slot]!);
  }

  private send(count: number): void {
    const { writer } = this;
    writer.reset();
    if (this.ackedSeq > 0) writeNumber(writer, 2, this.ackedSeq);
    const now = performance.now();
    for (let i = 0; i < count; i++) this.encode(now);
    this.write(writer);
  }

  private encode(now: number): void {
    const { writer } = this;
    const call = ++this.calls;
    const slot = call & 4095;
    this.sentAt[slot] = now;
    const key = (call * 7919 + this.index * 104729) % keyCount;
    const isSet = op === "set" || (op === "mixed" && call % 2 === 0);
    const isCreate = op === "create";
    this.isWrite[slot] = isSet || isCreate ? 1 : 0;
    const path = isCreate ? `${root}/c${this.index}-${call}` : `${root}/k${key}`;
    const pathLength = utf8Length(path);
    const seq = isSet || isCreate ? ++this.seq : 0;
    const content = lengthSize(pathLength) + (seq > 0 ? lengthSize(data.length) + numberSize(seq) : 0);
    writeLength(writer, 3, numberSize(call) + lengthSize(content));
    writeNumber(writer, 1, call);
    writeLength(writer, isCreate ? Operation.create : isSet ? Operation.set : Operation.get, content);
    writer.byte((1 << 3) | 2);
    writer.string(path);
    if (seq === 0) return;
    writeLength(writer, 2, data.length);
    writer.raw(data);
    writeNumber(writer, 10, seq);
  }
}

async function prepareKeys(): Promise<void> {
  const connection = await connect({ server: values.server });
  const { tree } = connection;
  await tree.create({ path: root }).catch(ignoreExisting);
  for (let from = 0; from < keyCount; from += 500) {
    const operations = Array.from({ length: Math.min(500, keyCount - from) }, (_, i) => ({
      operation: { case: "create" as const, value: { path: `${root}/k${from + i}`, data } },
    }));
    await tree.multi({ operations }).catch(ignoreExisting);
  }
  connection.close();
}

function ignoreExisting(error: unknown): void {
  if ((error as { reason?: string }).reason !== "NODE_EXISTS") throw error;
}

async function main(): Promise<void> {
  await prepareKeys();
  const connection = await connect({ server: values.server });
  const clients = Array.from(
    { length: Math.min(sessionCount, Number(values.connections)) },
    () => new Client(values.server, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
  );
  const sessions: LoadSession[] = [];
  for (let index = 0; index < sessionCount; index++) {
    const secret = randomBytes(16);
    const opened = await connection.sessions.openSession({ clientKey: randomBytes(16), secret, timeoutMs: 30_000 });
    const client = clients[index % clients.length] as unknown as { attachSession(): Stream };
    sessions.push(new LoadSession(client.attachSession(), index, Number(opened.sessionId), secret));
  }
  for (const session of sessions) session.start();
  await sleep(Number(values.warmup) * 1000);
  for (const session of sessions) session.reset();
  const cpu = process.cpuUsage();
  const from = performance.now();
  await sleep(Number(values.seconds) * 1000);
  const seconds = (performance.now() - from) / 1000;
  const used = process.cpuUsage(cpu);
  const latency = new LatencyHistogram();
  let completed = 0;
  for (const session of sessions) {
    completed += session.completed;
    latency.add(session.latency);
  }
  await Promise.all(
    sessions.map(
      (session) =>
        new Promise<void>((resolve) => {
          session.onIdle = resolve;
          session.stopping = true;
        }),
    ),
  );
  console.log(
    JSON.stringify({
      op,
      sessions: sessionCount,
      inFlight,
      bytes: data.length,
      keys: keyCount,
      perSecond: Math.round(completed / seconds),
      ...latency.summary(),
      clientCpu: Number(((used.user + used.system) / 1e6 / seconds).toFixed(2)),
    }),
  );
  process.exit(0);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

await main();
