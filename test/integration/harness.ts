/** Real servers in processes of their own, and what tests need to look at them from outside. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, credentials, Metadata, type ChannelOptions } from "@grpc/grpc-js";
import { afterAll, afterEach } from "vitest";
import { connect, type Connection, type ConnectOptions } from "../../src/client/index.ts";
import { refusalOf } from "../../src/rpc/status.ts";
import { Running, type Result } from "../cli/harness.ts";

export { Running, type Result } from "../cli/harness.ts";

/** Waits for something to become true, looking again and again; throws when it does not in time. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  options: { timeoutMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const { timeoutMs = 15_000, everyMs = 20 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found as NonNullable<Exclude<T, false>>;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await pause(everyMs);
  }
}

/** Lets other things happen for a while. Never what a test relies on. */
export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** A promise that must settle in time. */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not within ${timeoutMs} ms: ${what}`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A directory of its own that is removed at the end of the file. */
export async function scratchDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "zabtree-integration-"));
  atEndOfFile.push(async () => {
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

type Cleanup = () => Promise<void> | void;

const atEndOfTest: Cleanup[] = [];
const atEndOfFile: Cleanup[] = [];

/** Something to undo when the test is over, last first. */
export function cleanUp(run: Cleanup): void {
  atEndOfTest.push(run);
}

/** Something to undo when all tests of the file are over, last first. */
export function cleanUpFile(run: Cleanup): void {
  atEndOfFile.push(run);
}

async function runAll(list: Cleanup[]): Promise<void> {
  for (let run = list.pop(); run !== undefined; run = list.pop()) await run();
}

afterEach(async () => {
  await runAll(atEndOfTest);
});

afterAll(async () => {
  await runAll(atEndOfFile);
});

export interface ServerOptions {
  readonly data?: string;
  readonly flags?: readonly string[];
  /** The HTTP port too. */
  readonly http?: boolean;
  /** One server for all tests of the file. */
  readonly shared?: boolean;
}

/** `zabtree serve` on ports of its own, that can be killed and started again on the same ones. */
export class Server {
  readonly data: string;
  private readonly flags: readonly string[];
  private readonly wantsHttp: boolean;
  private running: Running | undefined;
  private listen = "127.0.0.1:0";
  private httpListen = "127.0.0.1:0";

  private constructor(data: string, options: ServerOptions) {
    this.data = data;
    this.flags = options.flags ?? [];
    this.wantsHttp = options.http === true;
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options.data ?? join(await scratchDirectory(), "data"), options);
    (options.shared === true ? cleanUpFile : cleanUp)(async () => {
      await server.kill();
    });
    await server.start();
    return server;
  }

  get address(): string {
    return this.listen;
  }

  /** Address of the HTTP port. */
  get http(): string {
    return this.httpListen;
  }

  get pid(): number {
    return this.running!.process.pid!;
  }

  get alive(): boolean {
    const { process } = this.running!;
    return process.exitCode === null && process.signalCode === null;
  }

  get errors(): string {
    return this.running?.errors ?? "";
  }

  /** Starts the process and does not wait for it to be ready. */
  spawn(): Running {
    const http = this.wantsHttp ? this.httpListen : "off";
    const addresses = ["--listen", this.listen, "--http", http];
    this.running = new Running(["serve", "--data", this.data, ...addresses, ...this.flags]);
    return this.running;
  }

  async start(): Promise<void> {
    // Another program may have taken the port in between, for a moment.
    for (let attempt = 1; ; attempt++) {
      const running = this.spawn();
      try {
        const ready = await saysReady(running);
        this.listen = ready[1]!;
        if (ready[2] !== undefined) this.httpListen = ready[2];
        return;
      } catch (error) {
        if (attempt === 5 || !running.errors.includes("cannot listen")) throw error;
        await running.result;
      }
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.running!.stop(signal);
  }

  /** Ends the process; the result is that of `zabtree serve`. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Result> {
    const { running } = this;
    running!.stop(signal);
    return await within(20_000, `the server ends after ${signal}`, running!.result);
  }

  async kill(): Promise<void> {
    if (this.running !== undefined) await this.stop("SIGKILL");
  }

  /** The result of the process, when it ends by itself. */
  get ended(): Promise<Result> {
    return this.running!.result;
  }

  /** Runs a command of the command line against this server. */
  command(args: readonly string[], input?: string | Buffer): Running {
    return new Running([...args, "--server", this.listen], input);
  }

  async connect(options: Omit<ConnectOptions, "server"> = {}): Promise<Connection> {
    const connection = await connect({ server: this.listen, timeoutMs: 20_000, ...options });
    cleanUp(() => {
      connection.close();
    });
    return connection;
  }

  /** Resident memory of the process, bytes. */
  get residentBytes(): number {
    const pages = Number(readFileSync(`/proc/${this.pid}/statm`, "utf8").split(" ")[1]);
    return pages * 4096;
  }
}

/** Waits for the lines that a server says when it is ready. */
async function saysReady(running: Running): Promise<RegExpExecArray> {
  const look = () => {
    const { exitCode, signalCode } = running.process;
    if (exitCode !== null || signalCode !== null) throw new Error(`the server ended: ${running.errors}`);
    return /is ready on (\S+?)(?: \(HTTP ([^)]+)\))?, data in .+\ntry: .+\n/.exec(running.output);
  };
  return await until("the server is ready", look, { timeoutMs: 30_000, everyMs: 5 });
}

export const mebibyte = 1024 * 1024;

export const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
export const untext = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);
export const random = (bytes: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(bytes));

/** What a call ended with, as a client sees it that knows nothing of zabtree but the contract. */
export interface Ended {
  readonly code: number;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly details: string;
}

export function endedOf(error: { code: number; details: string; metadata: Metadata } | null): Ended {
  if (error === null) return { code: 0, reason: undefined, metadata: {}, details: "" };
  const refusal = refusalOf(error);
  const { code, details } = error;
  return { code, reason: refusal?.reason, metadata: refusal?.metadata ?? {}, details };
}

const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A stock gRPC client that sends and receives bytes. */
export class RawClient {
  readonly client: Client;

  constructor(address: string, options: ChannelOptions = {}) {
    this.client = new Client(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_reconnect_backoff_ms": 1000,
      ...options,
    });
    cleanUp(() => {
      this.client.close();
    });
  }

  async unary(
    path: string,
    request: Uint8Array,
    metadata: Readonly<Record<string, string | Buffer>> = {},
  ): Promise<{ readonly ended: Ended; readonly response: Buffer | undefined }> {
    return await new Promise((resolve) => {
      const deadline = Date.now() + 15_000;
      this.client.makeUnaryRequest(path, same, same, request, metadataOf(metadata), { deadline }, (error, response) => {
        resolve({ ended: endedOf(error), response });
      });
    });
  }

  stream(path: string) {
    return this.client.makeBidiStreamRequest<Uint8Array, Buffer>(path, same, same, new Metadata());
  }

  serverStream(path: string, request: Uint8Array) {
    return this.client.makeServerStreamRequest<Uint8Array, Buffer>(path, same, same, request, new Metadata());
  }
}

function metadataOf(entries: Readonly<Record<string, string | Buffer>>): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return metadata;
}

/** Runs a program of the system; its stdout. Throws when it fails. */
export async function runProgram(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const options = { cwd, timeout: 60_000, maxBuffer: 64 * mebibyte };
  const { stdout } = await promisify(execFile)(program, args, options);
  return stdout;
}

/**
 * A gRPC call on an HTTP/2 connection of its own, whose answers are taken off the connection only while it reads. (The
 * gRPC library takes up to sixteen messages of any size before it stops.)
 */
export class Http2Call {
  readonly messages: Buffer[] = [];
  readonly ended: Promise<Ended>;
  private readonly session: ClientHttp2Session;
  private readonly stream: ClientHttp2Stream;
  private pending = Buffer.alloc(0);

  constructor(address: string, path: string) {
    this.session = connectHttp2(`http://${address}`);
    this.session.on("error", () => undefined);
    cleanUp(() => {
      this.cancel();
    });
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    this.stream = this.session.request(headers);
    this.stream.on("data", (bytes: Buffer) => {
      this.take(bytes);
    });
    this.stream.pause();
    this.ended = new Promise((resolve) => {
      let ended: Ended = { code: -1, reason: undefined, metadata: {}, details: "the connection broke" };
      const keep = (headers: IncomingHttpHeaders) => {
        if (headers["grpc-status"] === undefined) return;
        const metadata = Metadata.fromHttp2Headers(headers);
        ended = endedOf({ code: Number(headers["grpc-status"]), details: String(headers["grpc-message"]), metadata });
      };
      this.stream.on("response", keep);
      this.stream.on("trailers", keep);
      this.stream.on("error", () => undefined);
      // The end of the answers; the call may be open in the other direction.
      for (const event of ["end", "close"]) {
        this.stream.on(event, () => {
          resolve(ended);
        });
      }
    });
  }

  private take(bytes: Buffer): void {
    this.pending = Buffer.concat([this.pending, bytes]);
    while (this.pending.length >= 5) {
      const end = 5 + this.pending.readUInt32BE(1);
      if (this.pending.length < end) return;
      this.messages.push(this.pending.subarray(5, end));
      this.pending = this.pending.subarray(end);
    }
  }

  write(message: Uint8Array): this {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.stream.write(Buffer.concat([head, message]));
    return this;
  }

  finish(): this {
    this.stream.end();
    return this;
  }

  read(): void {
    this.stream.resume();
  }

  pause(): void {
    this.stream.pause();
  }

  cancel(): void {
    this.session.destroy();
  }
}
