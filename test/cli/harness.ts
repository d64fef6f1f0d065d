/** Runs the real command against a real server, each in a process of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../bin/zabtree.js", import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  /** The same as bytes. */
  readonly bytes: Buffer;
  readonly stderr: string;
  /** The one JSON document on stdout. */
  json(): Record<string, unknown>;
  /** The JSON documents on stdout, one a line. */
  jsonLines(): Record<string, unknown>[];
}

/** A command that is running. */
export class Running {
  readonly process: ChildProcess;
  readonly result: Promise<Result>;
  private stdout = Buffer.alloc(0);
  private stderr = "";

  constructor(args: readonly string[], input?: string | Buffer) {
    const env = { ...process.env, ZABTREE_SERVERS: "", ZABTREE_AUTH: "", NO_COLOR: "1" };
    this.process = spawn(process.execPath, [bin, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
    this.process.stdin?.on("error", () => undefined);
    this.process.stdin?.end(input);
    this.process.stdout?.on("data", (chunk: Buffer) => (this.stdout = Buffer.concat([this.stdout, chunk])));
    this.process.stderr?.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.result = once(this.process, "close").then(([code]) => this.finished(code as number | null));
  }

  get output(): string {
    return this.stdout.toString();
  }

  get errors(): string {
    return this.stderr;
  }

  private finished(code: number | null): Result {
    const { output, stderr, stdout } = this;
    const parse = (text: string) => JSON.parse(text) as Record<string, unknown>;
    return {
      code,
      stdout: output,
      bytes: stdout,
      stderr,
      json: () => parse(output),
      jsonLines: () => output.trimEnd().split("\n").map(parse),
    };
  }

  /** Waits until stdout or stderr holds something. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output) ?? pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        const end = this.process.exitCode ?? this.process.signalCode;
        throw new Error(`ended with ${String(end)} without ${String(pattern)}: ${this.output}${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  stop(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

/** A server with a data directory and an address of its own, that can be stopped and started again. */
export class TestServer {
  readonly directory: string;
  readonly address: string;
  private running: Running | undefined;
  private readonly flags: readonly string[];

  private constructor(directory: string, address: string, flags: readonly string[]) {
    this.directory = directory;
    this.address = address;
    this.flags = flags;
  }

  static async start(flags: readonly string[] = []): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), "zabtree-cli-"));
    const server = new TestServer(directory, `127.0.0.1:${await freePort()}`, flags);
    await server.start();
    return server;
  }

  get data(): string {
    return join(this.directory, "data");
  }

  async start(): Promise<void> {
    this.running = new Running([
      "serve",
      "--data",
      this.data,
      "--listen",
      this.address,
      "--http",
      "off",
      ...this.flags,
    ]);
    await this.running.until(/is ready on/);
  }

  /** Stops it; the result is that of `zabtree serve`. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Result | undefined> {
    const { running } = this;
    this.running = undefined;
    running?.stop(signal);
    return await running?.result;
  }

  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Starts a command that talks to this server. */
  spawn(args: readonly string[], input?: string | Buffer): Running {
    return new Running([...args, "--server", this.address], input);
  }

  /** Runs a command that talks to this server. */
  async run(args: readonly string[], input?: string | Buffer): Promise<Result> {
    return await this.spawn(args, input).result;
  }

  /** Runs a command that must succeed; returns its stdout. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${String(code)}: ${stderr}`);
    return stdout;
  }
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
