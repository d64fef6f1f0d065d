/**
 * A load generator for session streams: one process, many sessions, a fixed number of requests in flight on each.
 *
 * Prints one line of JSON: what was asked, operations per second, latency percentiles in milliseconds, and, when it is
 * told the server's process, what that used meanwhile.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { utf8Length, type ByteWriter } from "../src/base/bytes.ts";
import { connect, type Connection } from "../src/client/index.ts";
import { lengthSize, numberSize, writeLength, writeNumber } from "../src/rpc/wire.ts";
import { LatencyHistogram } from "./latency.ts";
import { bytesWritten, cpuBetween, residentMb, roles, threadTimes } from "./process-times.ts";
import { openRawSessions, Operation, type RawSession, type Requests } from "./raw-session.ts";
import { CheckpointWindows } from "./checkpoint-windows.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "127.0.0.1:4281" },
    /** Process of the server, to measure what it uses. */
    pid: { type: "string" },
    /** set, get, create or mixed (half sets, half gets). */
    op: { type: "string", default: "set" },
    sessions: { type: "string", default: "32" },
    inflight: { type: "string", default: "32" },
    bytes: { type: "string", default: "100" },
    keys: { type: "string", default: "1000" },
    /** Parent of the znodes; created when missing. */
    root: { type: "string", default: "/bench" },
    /** The znodes exist: they were made by fill.ts, spread over this many parents. */
    filled: { type: "string", default: "0" },
    warmup: { type: "string", default: "2" },
    seconds: { type: "string", default: "5" },
    /** TCP connections the sessions are spread over. */
    connections: { type: "string", default: "8" },
    /** Tell latencies while the checkpoint worker runs from those while it does not. Needs --pid. */
    checkpoint: { type: "boolean", default: false },
  },
});

const sessionCount = Number(values.sessions);
const inFlight = Number(values.inflight);
const keyCount = Number(values.keys);
const parents = Number(values.filled);
const pid = values.pid === undefined ? undefined : Number(values.pid);
const { op, root } = values;
const data = randomBytes(Number(values.bytes));

/** What one session asks for, and how it went. */
class Load implements Requests {
  readonly latency = new LatencyHistogram();
  completed = 0;
  windows: CheckpointWindows | undefined;
  private readonly index: number;
  private readonly id: number;

  constructor(index: number, id: number) {
    this.index = index;
    this.id = id;
  }

  reset(): void {
    this.completed = 0;
    this.latency.reset();
  }

  answered(latencyMs: number): void {
    this.completed++;
    this.latency.record(latencyMs);
    this.windows?.record(latencyMs);
  }

  next(message: ByteWriter, call: number, seq: number): "read" | "write" {
    const key = (call * 7919 + this.index * 104729) % keyCount;
    if (op === "create") encode(message, call, { operation: Operation.create, path: this.newPath(call), seq });
    else if (op === "set" || (op === "mixed" && call % 2 === 0)) {
      encode(message, call, { operation: Operation.set, path: pathOf(key), seq });
    } else {
      encode(message, call, { operation: Operation.get, path: pathOf(key), seq: 0 });
      return "read";
    }
    return "write";
  }

  private newPath(call: number): string {
    return `${root}/c${this.id}-${call}`;
  }
}

function pathOf(key: number): string {
  return parents === 0 ? `${root}/k${key}` : `${root}/p${key % parents}/k${key}`;
}

/** Appends one request; a seq makes it a write with data. */
function encode(message: ByteWriter, call: number, request: { operation: number; path: string; seq: number }): void {
  const { operation, path, seq } = request;
  const pathLength = utf8Length(path);
  const content = lengthSize(pathLength) + (seq > 0 ? lengthSize(data.length) + numberSize(seq) : 0);
  writeLength(message, 3, numberSize(call) + lengthSize(content));
  writeNumber(message, 1, call);
  writeLength(message, operation, content);
  message.byte((1 << 3) | 2);
  message.string(path);
  if (seq === 0) return;
  writeLength(message, 2, data.length);
  message.raw(data);
  writeNumber(message, 10, seq);
}

async function prepareKeys({ tree }: Connection): Promise<void> {
  await tree.create({ path: root }).catch(ignoreExisting);
  for (let from = 0; from < keyCount; from += 500) {
    const operations = Array.from({ length: Math.min(500, keyCount - from) }, (_, i) => ({
      operation: { case: "create" as const, value: { path: pathOf(from + i), data } },
    }));
    await tree.multi({ operations }).catch(ignoreExisting);
  }
}

function ignoreExisting(error: unknown): void {
  if ((error as { reason?: string }).reason !== "NODE_EXISTS") throw error;
}

/** What the server uses while something runs, per operation. */
function serverUsage(server: number): (seconds: number, operations: number) => object {
  const threads = threadTimes(server);
  const written = bytesWritten(server);
  return (seconds, operations) => {
    const cpu = cpuBetween(server, threads, threadTimes(server));
    const microseconds = roles.map((role) => [role, round((cpu[role] * 1000) / operations)]);
    const total = roles.reduce((sum, role) => sum + cpu[role], 0);
    return {
      serverCpu: round(total / 1000 / seconds),
      serverMicrosPerOp: Object.fromEntries(microseconds) as Record<string, number>,
      serverMb: Math.round(residentMb(server)),
      writtenBytesPerOp: Math.round((bytesWritten(server) - written) / operations),
    };
  };
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

/** Drives the sessions for the time asked; returns what came of it. */
async function measure(sessions: readonly RawSession[], loads: readonly Load[]): Promise<object> {
  for (const session of sessions) session.start(inFlight);
  await sleep(Number(values.warmup) * 1000);
  for (const load of loads) load.reset();
  const windows = values.checkpoint && pid !== undefined ? new CheckpointWindows(pid) : undefined;
  for (const load of loads) load.windows = windows;
  const usage = pid === undefined ? undefined : serverUsage(pid);
  const cpu = process.cpuUsage();
  const from = performance.now();
  await sleep(Number(values.seconds) * 1000);
  const seconds = (performance.now() - from) / 1000;
  const used = process.cpuUsage(cpu);
  const completed = loads.reduce((sum, load) => sum + load.completed, 0);
  const server = usage?.(seconds, completed) ?? {};
  const latency = new LatencyHistogram();
  for (const load of loads) latency.add(load.latency);
  await Promise.all(sessions.map((session) => session.drain()));
  return {
    perSecond: Math.round(completed / seconds),
    ...latency.summary(),
    clientCpu: round((used.user + used.system) / 1e6 / seconds),
    clientMicrosPerOp: round((used.user + used.system) / completed),
    ...server,
    ...windows?.summary(),
  };
}

const connection = await connect({ server: values.server });
if (parents === 0) await prepareKeys(connection);
const loads: Load[] = [];
const sessions = await openRawSessions(connection, sessionCount, Number(values.connections), (index, id) => {
  const load = new Load(index, id);
  loads.push(load);
  return load;
});
const result = await measure(sessions, loads);
console.log(JSON.stringify({ op, sessions: sessionCount, inFlight, bytes: data.length, keys: keyCount, ...result }));
process.exit(0);
